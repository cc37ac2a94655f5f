import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { SoakCast } from './soak-cast.ts';
import { SoakChurn } from './soak-churn.ts';
import { SoakLedger } from './soak-ledger.ts';
import { type LoadCounts, runLoad } from './soak-load.ts';
import { LATE_MS, partitionMs, RETENTION_PARTITIONS, type SoakOptions, warmUpMs } from './soak-options.ts';
import { reasonsOf, type SoakReport, verdictOf } from './soak-report.ts';
import { SoakSampler } from './soak-sampler.ts';
import { SoakServers } from './soak-servers.ts';
import { judgeSlope, type SlopeVerdict } from './slopes.ts';

const CONNECTIONS_AT_ONCE = 20;
const PROGRESS_EVERY_MS = 60_000;
/** From the last message until everybody has it. */
const SETTLE_MS = 60_000;

/**
 * Steady load and constant coming and going over real servers, until its time is over or `signal`; what it has by then
 * is judged. The steps: fill, run, settle, judge.
 */
export async function runSoak(
  options: SoakOptions,
  hooks: { signal: AbortSignal; progress: (line: string) => void },
): Promise<SoakReport> {
  const { signal, progress } = hooks;
  const servers = await SoakServers.start(options, progress);
  const ledger = new SoakLedger(Math.ceil(LATE_MS / options.sampleEveryMs));
  const gaps: Record<string, number> = {};
  const cast = new SoakCast(servers.pods, options, {
    ledger,
    onLatency: (ms) => sampler.addLatency(ms),
    onGap: (reason) => (gaps[reason] = (gaps[reason] ?? 0) + 1),
    retentionMs: RETENTION_PARTITIONS * partitionMs(options),
  });
  const sampler = await SoakSampler.start(servers, {
    squeezed: options.squeezed,
    acceptedCount: () => ledger.accepted,
    rowsMade: () => cast.rowsMade,
  });
  const lastSeqOf = (id: string) => sampler.lastSeqOf(id);
  const churn = new SoakChurn({ cast, ledger, options, lastSeqOf });
  const load: LoadCounts = { posts: 0, failed: 0, failures: {} };
  try {
    for (let n = 0; n < options.conversations; n += 1) {
      if ((await cast.create(randomUUID(), n)) === undefined) throw new Error('a conversation was refused');
    }
    await eachOf(cast.devices, CONNECTIONS_AT_ONCE, (device) => cast.connect(device));
    progress(
      `${cast.devices.length} devices in ${options.conversations} conversations on ${options.pods} pods`,
    );

    const startedAt = new Date();
    const begun = performance.now();
    const ending = new AbortController();
    // Many wait for it at once.
    setMaxListeners(0, ending.signal);
    const end = () => ending.abort();
    signal.addEventListener('abort', end, { once: true });
    const timer = setTimeout(end, options.lengthMs);
    if (signal.aborted) end();
    await Promise.all([
      runLoad({ cast, ledger, ratePerSecond: options.ratePerSecond, signal: ending.signal, counts: load }),
      churn.run(ending.signal),
      watch({ sampler, ledger, cast, options, begun, signal: ending.signal, progress }),
    ]);
    clearTimeout(timer);
    const ended = performance.now();

    await settle(cast, ledger);
    for (const { id } of cast.conversations) ledger.close(id, await lastSeqOf(id));
    const judgedFrom = begun + warmUpMs(options);
    const series = [...sampler.series].map(([name, { points, bound }]): SlopeVerdict =>
      judgeSlope(
        name,
        points.filter(({ atMs }) => atMs >= judgedFrom),
        bound,
      ),
    );
    const deliveries = cast.devices.reduce((sum, device) => sum + device.deliveries, 0);
    const counts = {
      ...load,
      ...churn.counts,
      accepted: ledger.accepted,
      deliveries,
      gaps,
      rowsKept: await sampler.rowsKept(),
      stateRowsMade: cast.rowsMade,
      stateRowsKept: await sampler.stateRowsKept(),
    };
    const minutes = toMinutes(ended - begun);
    const judged = { counts, minutes, violations: ledger.violations, series, jobs: await sampler.jobs() };
    const reasons = reasonsOf(judged);
    return {
      verdict: verdictOf(reasons, series),
      reasons,
      startedAt: startedAt.toISOString(),
      endedAt: new Date().toISOString(),
      warmUpMinutes: toMinutes(judgedFrom - begun),
      interrupted: signal.aborted,
      commit: commit(),
      machine: {
        cpu: os.cpus()[0]?.model ?? 'unknown',
        cores: os.availableParallelism(),
        node: process.version,
      },
      options: { ...options, partitionMs: partitionMs(options) },
      ...judged,
    };
  } finally {
    await cast.close();
    await sampler.close();
    await servers.stop();
  }
}

/** Samples, and looks whether everybody keeps up. */
async function watch(run: {
  sampler: SoakSampler;
  ledger: SoakLedger;
  cast: SoakCast;
  options: SoakOptions;
  begun: number;
  signal: AbortSignal;
  progress: (line: string) => void;
}): Promise<void> {
  const { sampler, ledger, cast, options, begun, signal, progress } = run;
  let toldAt = begun;
  while (!signal.aborted) {
    await sleep(options.sampleEveryMs, undefined, { signal }).catch(() => undefined);
    await sampler.sample(cast.openSockets);
    ledger.tick();
    findLate(cast, ledger);
    if (performance.now() - toldAt < PROGRESS_EVERY_MS) continue;
    toldAt = performance.now();
    const violations = ledger.violations.reduce((sum, { count }) => sum + count, 0);
    progress(
      `${toMinutes(toldAt - begun)} min: ${ledger.accepted} accepted, p99 ${Math.round(sampler.latest('p99'))} ms, ` +
        `pod 1 ${Math.round(sampler.latest('pod 1 rss') / 2 ** 20)} MiB, backlog ${sampler.latest('backlog')}, ` +
        `${violations} violations`,
    );
  }
}

function findLate(cast: SoakCast, ledger: SoakLedger): void {
  for (const device of cast.devices) {
    if ((device.steadyMs ?? 0) < LATE_MS) continue;
    for (const { id } of cast.conversationsOf(device.userId, LATE_MS)) {
      const due = ledger.lateHead(id);
      const has = device.cursorOf(id) ?? 0;
      if (has < due) ledger.violate('late', `${device.name} ${id}: has ${has}, due ${due}`);
    }
  }
}

/** Waits until everybody has everything; who has not by then is late. */
async function settle(cast: SoakCast, ledger: SoakLedger): Promise<void> {
  const giveUpAt = performance.now() + SETTLE_MS;
  const behind = () =>
    cast.devices.flatMap((device) =>
      [...cast.conversationsOf(device.userId, 0)]
        .filter(({ id }) => (device.cursorOf(id) ?? -1) < ledger.headOf(id))
        .map(
          ({ id }) => `${device.name} ${id}: has ${device.cursorOf(id)}, the head is ${ledger.headOf(id)}`,
        ),
    );
  while (behind().length > 0 && performance.now() < giveUpAt) await sleep(100);
  for (const text of behind()) ledger.violate('late', text);
}

async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  act: (item: T) => Promise<void>,
): Promise<void> {
  const rest = [...items];
  const worker = async () => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) await act(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function toMinutes(ms: number): number {
  return Math.round(ms / 600) / 100;
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
