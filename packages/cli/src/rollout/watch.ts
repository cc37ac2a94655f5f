import { CliError } from '../cli-error.ts';
import type { Shell } from '../shell.ts';
import { BACKLOG, GATES, judge, queryOf, type Gate, type Verdict } from './gates.ts';
import { queryPrometheus } from './prometheus.ts';
import type { Phase } from './steps.ts';

const POLL_MS = 30_000;
/** For the last verdicts an outage of Prometheus is waited out, so long. */
const LAST_ATTEMPTS_MAX = 20;
/** Below it there are too few scrapes for an increase. */
const WINDOW_MIN_MS = 120_000;

export interface WatchOptions {
  readonly prometheusUrl: string;
  /** How long the gates have to hold. */
  readonly watchMs: number;
  /** How long phase 1's backlog may take. */
  readonly backlogMs: number;
  readonly match: string;
}

/** Watches a phase to its end; throws at the first gate that is broken for good. Says what it saw at the end. */
export async function watch(
  phase: Phase,
  options: WatchOptions,
  { clock, note }: { readonly clock: Shell['clock']; readonly note: (text: string) => void },
): Promise<Verdict[]> {
  const ask = async (gate: Gate, windowMs: number): Promise<Verdict> => {
    const query = queryOf(gate, { windowMs, match: options.match });
    return judge(gate, await queryPrometheus(options.prometheusUrl, { query, atMs: clock.now() }), query);
  };
  if (phase === 2) await untilBacklogIsGone();

  const startedAt = clock.now();
  for (;;) {
    const elapsedMs = clock.now() - startedAt;
    if (elapsedMs >= options.watchMs) break;
    if (elapsedMs >= WINDOW_MIN_MS) {
      for (const gate of GATES[phase]) {
        if (gate.atOnce !== true) continue;
        // A Prometheus that restarts meanwhile is asked again in the next round, and so is one without a value yet.
        const verdict = await ask(gate, elapsedMs).catch(() => undefined);
        if (verdict !== undefined && !verdict.ok && verdict.value !== null)
          throw new GateError(phase, [verdict]);
      }
    }
    await clock.sleep(Math.min(POLL_MS, options.watchMs - elapsedMs));
  }
  const verdicts: Verdict[] = [];
  for (const gate of GATES[phase]) verdicts.push(await askPatiently(gate));
  const broken = verdicts.filter(({ ok }) => !ok);
  if (broken.length > 0) throw new GateError(phase, broken);
  return verdicts;

  async function askPatiently(gate: Gate): Promise<Verdict> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask(gate, options.watchMs);
      } catch (error) {
        if (attempt === LAST_ATTEMPTS_MAX) throw error;
        await clock.sleep(POLL_MS);
      }
    }
  }

  async function untilBacklogIsGone(): Promise<void> {
    const deadline = clock.now() + options.backlogMs;
    for (let said = false; ; said = true) {
      const verdict = await askPatiently(BACKLOG);
      if (verdict.ok) return;
      if (clock.now() >= deadline) throw new GateError(2, [verdict]);
      if (!said) note("waiting for phase 1's backlog to be worked off");
      await clock.sleep(POLL_MS);
    }
  }
}

/** A phase that must not go on. */
export class GateError extends CliError {
  override readonly name = 'GateError';
  readonly verdicts: readonly Verdict[];

  constructor(phase: Phase, verdicts: readonly Verdict[]) {
    const lines = verdicts.map((verdict) => `${verdictText(verdict)}\n  ${verdict.hint}\n  ${verdict.query}`);
    super(
      `phase ${phase} does not go on:\n${lines.join('\n')}`,
      'The canary is as it was. `sanctum rollout` goes on from here, `sanctum rollout back` switches all off.',
    );
    this.verdicts = verdicts;
  }
}

export function verdictText({ gate, value, allowed, ok }: Verdict): string {
  const seen = value === null ? 'no data' : String(Number(value.toPrecision(4)));
  return `${ok ? '✓' : '✗'} ${gate}: ${seen} (${allowed})`;
}
