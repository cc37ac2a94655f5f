import { existsSync, readFileSync } from 'node:fs';
import type { BugReport } from '../../services/messaging/src/tests/bugs/caught.ts';
import type { ChaosRun } from '../../services/messaging/src/tests/chaos/chaos-run.ts';
import type { PlayedRange } from '../../services/messaging/src/tests/simulation/sim-report.ts';
import { readNdjson } from '../../services/messaging/src/tests/support/ndjson.ts';
import { root } from './source-facts.ts';

/* What runs have written down of themselves, in docs/evidence. A file that is not there yet is no evidence. */

/** The last long run, as far as it is shown. */
export interface SoakReport {
  readonly verdict: 'passed' | 'failed' | 'unknown';
  readonly startedAt: string;
  readonly endedAt: string;
  readonly minutes: number;
  readonly options: { readonly partitionMs: number };
  readonly counts: { readonly accepted: number; readonly deliveries: number; readonly reconnects: number };
  readonly violations: readonly { readonly count: number }[];
  readonly series: readonly {
    readonly series: string;
    readonly unit: string;
    readonly level: number;
    readonly slopePerHour: number;
    readonly certainGrowth: number;
    readonly allowedGrowth: number;
    readonly verdict: string;
  }[];
}

export function chaosRuns(): ChaosRun[] {
  return countedRuns(readNdjson<ChaosRun>(evidence('chaos.ndjson')));
}

/** The attacks, of which a run is one line as well. */
export function hostileRuns(): ChaosRun[] {
  return countedRuns(readNdjson<ChaosRun>(evidence('hostile.ndjson')));
}

/**
 * Of several runs of one round those of the code that was run last: what ran before something was changed says
 * nothing any more. By that code each of them counts, so that nobody gets rid of a failure by running it again.
 */
export function countedRuns(runs: readonly ChaosRun[]): ChaosRun[] {
  const rounds = new Map<string, ChaosRun[]>();
  for (const run of runs) {
    const key = `${run.scenario} ${run.postgres} ${run.round}`;
    const sameCode = (rounds.get(key) ?? []).filter(({ code }) => code === run.code);
    rounds.delete(key);
    rounds.set(key, [...sameCode, run]);
  }
  return [...rounds.values()].flat();
}

/** Of the code that was played last. */
export function playedRanges(): PlayedRange[] {
  const ranges = readNdjson<PlayedRange>(evidence('simulation.ndjson'));
  const code = ranges.at(-1)?.code;
  return ranges.filter((range) => range.code === code);
}

export function bugReport(): BugReport | undefined {
  return readJson('bugs.json') as BugReport | undefined;
}

export function soakReport(): SoakReport | undefined {
  return readJson('soak.json') as SoakReport | undefined;
}

function readJson(name: string): unknown {
  const file = evidence(name);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

function evidence(name: string): string {
  return `${root}/docs/evidence/${name}`;
}
