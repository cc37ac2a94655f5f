import { readFileSync } from 'node:fs';
import { machineClock } from '../history/history-writer.ts';
import { HEALTHY_P95_MS } from '../chaos/latency-watch.ts';
import type { ChaosPod } from '../chaos/chaos-pod.ts';
import type { ChaosWorld } from '../chaos/chaos-world.ts';
import { fingerprintOf } from '../support/code-fingerprint.ts';
import { scrape } from '../support/scrape.ts';
import { Attacker } from './attacker-process.ts';
import { inWords, isAnswered, type Outcome } from './outcome.ts';
import { lasting, promised, proven, type Scenario } from '../chaos/scenario.ts';

/** What a process grows by in such a load without an attack: garbage, and code that was not run before. */
const GROWTH_SLACK_MB = 100;
const LOOK_EVERY_MS = 200;
/** Runs of one attack count as long as all of them are what they were. */
const SOURCES = fingerprintOf(['services/messaging/src/tests/hostile']);

/** What an attacker knows: addresses past the proxies, and what a member of one conversation has. */
export interface Target {
  readonly wsUrl: string;
  readonly httpUrl: string;
  readonly conversationId: string;
  readonly memberToken: string;
}

export interface Attack {
  readonly name: string;
  readonly about: string;
  /** Before it, by the harness: what the attack needs of the load. */
  readonly prepare?: (world: ChaosWorld) => Promise<void>;
  /** Strikes the pod, and ends by itself; see attacker.ts for where it runs. */
  readonly strike: (target: Target) => Promise<Outcome>;
  /** The answers that are allowed, each with how often it must have been given at the least. */
  readonly answers: Readonly<Record<string, number>>;
  /**
   * Connections that the pod must say it has closed, by code, at the least: where the client is busy writing, or reads
   * nothing, it sees a cut and no code.
   */
  readonly closes?: Readonly<Record<number, number>>;
  /** Of the pods, where the attack takes more than a few short ones. */
  readonly heartbeatMs?: number;
  /** What the attack may make the process hold, by the bounds that the service sets. */
  readonly holdsMaxMb: number;
}

/**
 * An attack as a scenario: beside it members go on writing and reading, and everything that is asked of a fault is
 * asked of it, and more: each answer is one of those that are due, the others' p95 stays below 2 s meanwhile, and
 * the process does not grow beyond a bound.
 */
export function asScenario(attack: Attack): Scenario {
  const { name, about, prepare, answers, closes = {}, heartbeatMs, holdsMaxMb } = attack;
  return {
    name: `hostile-${name}`,
    about,
    sources: SOURCES,
    heartbeatMs,
    fault: async (world) => {
      const pod = world.pod('full');
      const codes = Object.keys(closes);
      const attacker = await Attacker.start();
      await prepare?.(world);
      const closedBefore = await Promise.all(codes.map((code) => closedBy(pod, code)));
      const from = machineClock.monotonic();
      const { result: outcome, grownMb } = await whileWatched(pod, () =>
        attacker.strike(name, targetOf(pod, world)),
      );
      const to = machineClock.monotonic();
      // What was posted last has had its time, too.
      await lasting(HEALTHY_P95_MS);
      const p95 = world.load.watch.p95Of({ from, to });
      const closed = await Promise.all(codes.map((code) => closedBy(pod, code).catch(() => 0)));
      const strikes = [...outcome.values()].reduce((sum, count) => sum + count, 0);
      return {
        proof: [proven(`it struck ${strikes} times`, strikes > 0)],
        promises: [
          promised(inWords(outcome), isAnswered(outcome, answers)),
          ...Object.entries(closes).map(([code, min], n) => {
            const count = closed[n]! - closedBefore[n]!;
            return promised(`the pod closed ${count} with ${code}`, count >= min);
          }),
          promised(`the others' p95 was ${Math.round(p95)} ms meanwhile`, p95 < HEALTHY_P95_MS),
          promised(`the process grew by ${grownMb} MB`, grownMb <= holdsMaxMb + GROWTH_SLACK_MB),
          promised('the process lives', pod.isAlive),
        ],
      };
    },
  };
}

function targetOf({ process: { wsUrl, httpUrl } }: ChaosPod, { load }: ChaosWorld): Target {
  const { id, members } = load.conversations[0]!;
  return { wsUrl, httpUrl, conversationId: id, memberToken: members[0]!.token };
}

/** Connections that the pod has closed with a code so far. */
async function closedBy({ process }: ChaosPod, code: string): Promise<number> {
  const count = (await scrape(process.httpUrl)).get(`transport_connections_closed_total{code="${code}"}`);
  if (count === undefined) throw new Error(`the pod does not count what it closes with ${code}`);
  return count;
}

/** How much the pod's process had grown when it was largest; one that dies does not grow any more. */
async function whileWatched<T>(
  pod: ChaosPod,
  work: () => Promise<T>,
): Promise<{ result: T; grownMb: number }> {
  const before = residentMb(pod) ?? 0;
  let peak = before;
  const look = () => (peak = Math.max(peak, residentMb(pod) ?? 0));
  const looking = setInterval(look, LOOK_EVERY_MS);
  try {
    const result = await work();
    look();
    return { result, grownMb: Math.round(peak - before) };
  } finally {
    clearInterval(looking);
  }
}

/** Resident memory of the pod's process; undefined where there is none. */
function residentMb({ process: { pid } }: ChaosPod): number | undefined {
  try {
    const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return kb === undefined ? undefined : Number(kb) / 1024;
  } catch {
    return undefined;
  }
}
