import { readFileSync } from 'node:fs';
import { machineClock } from '../history/history-writer.ts';
import { HEALTHY_P95_MS } from '../chaos/latency-watch.ts';
import type { ChaosPod } from '../chaos/chaos-pod.ts';
import type { ChaosWorld } from '../chaos/chaos-world.ts';
import { lasting, proven, type Scenario } from '../chaos/scenario.ts';

/** How much the attacked process may grow meanwhile, whatever it is sent. */
const GROWTH_MAX_MB = 400;

/** What an attack came to: how often each answer was given, such as `closed 4408` or `status 400`. */
export type Outcome = ReadonlyMap<string, number>;

export interface Attack {
  readonly name: string;
  readonly about: string;
  /** Strikes the pod, and ends by itself. */
  readonly strike: (pod: ChaosPod, world: ChaosWorld) => Promise<Outcome>;
  /** What the answers must have been: a sentence, and whether it holds. */
  readonly expect: (outcome: Outcome) => readonly [sentence: string, holds: boolean];
}

/**
 * An attack as a scenario: beside it members go on writing and reading, and everything that is asked of a fault is
 * asked of it, and more: the others' p95 stays below 2 s meanwhile, and the process does not grow beyond a bound.
 */
export function asScenario({ name, about, strike, expect }: Attack): Scenario {
  return {
    name: `hostile-${name}`,
    about,
    fault: async (world) => {
      const pod = world.pod('full');
      const before = { mb: residentMb(pod), at: machineClock.monotonic() };
      const outcome = await strike(pod, world);
      const after = { mb: residentMb(pod), at: machineClock.monotonic() };
      // What was posted last has had its time, too.
      await lasting(HEALTHY_P95_MS);
      const p95 = world.load.watch.p95Of({ from: before.at, to: after.at });
      const grown = Math.round(after.mb - before.mb);
      return {
        proof: [
          proven(...expect(outcome)),
          proven(`the others' p95 was ${Math.round(p95)} ms meanwhile`, p95 < HEALTHY_P95_MS),
          proven(`the process grew by ${grown} MB`, grown < GROWTH_MAX_MB && pod.isAlive),
        ],
      };
    },
  };
}

export class Tally implements Iterable<[string, number]> {
  readonly counts = new Map<string, number>();

  add(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  [Symbol.iterator](): IterableIterator<[string, number]> {
    return this.counts[Symbol.iterator]();
  }
}

/** `1000 closed 4408, 3 status 503`. */
export function inWords(outcome: Outcome): string {
  return [...outcome].map(([what, count]) => `${count} × ${what}`).join(', ');
}

/** Nothing but these, and at least one of each. */
export function onlyOf(outcome: Outcome, ...allowed: readonly string[]): readonly [string, boolean] {
  const holds = outcome.size > 0 && [...outcome.keys()].every((what) => allowed.includes(what));
  return [inWords(outcome), holds];
}

/** Resident memory of the pod's process. */
function residentMb({ process: { pid } }: ChaosPod): number {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kb) / 1024;
}
