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

/** Of several runs of one round the last counts: it was made because something had changed. */
export function chaosRuns(): ChaosRun[] {
  const runs = new Map<string, ChaosRun>();
  for (const run of readNdjson<ChaosRun>(evidence('chaos.ndjson'))) {
    const key = `${run.scenario} ${run.postgres} ${run.round}`;
    runs.delete(key);
    runs.set(key, run);
  }
  return [...runs.values()];
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
