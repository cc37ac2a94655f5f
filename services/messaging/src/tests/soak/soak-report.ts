import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ChurnCounts } from './soak-churn.ts';
import type { SoakViolations } from './soak-ledger.ts';
import type { SoakOptions } from './soak-options.ts';
import type { LoadCounts } from './soak-load.ts';
import type { SlopeVerdict } from './slopes.ts';

/** What a soak leaves behind, in `docs/evidence/soak.json`. */
export interface SoakReport {
  /** `passed`: judged in full, nothing grows, nothing was broken. `unknown`: too short to judge some series. */
  readonly verdict: 'passed' | 'failed' | 'unknown';
  /** What is wrong, in words; empty when passed. */
  readonly reasons: readonly string[];
  readonly startedAt: string;
  readonly endedAt: string;
  /** Of load; and how much of it at the start was not judged. */
  readonly minutes: number;
  readonly warmUpMinutes: number;
  /** Ended by hand before its time. */
  readonly interrupted: boolean;
  readonly commit: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
  readonly options: SoakOptions & { readonly partitionMs: number };
  readonly counts: LoadCounts &
    ChurnCounts & {
      readonly accepted: number;
      readonly deliveries: number;
      /** Of the accepted messages, those that had not expired at the end. */
      readonly rowsKept: number;
      /** Counters and memberships: how many the run made, and how many there were at the end. */
      readonly stateRowsMade: number;
      readonly stateRowsKept: number;
      /** Gaps that were announced, by reason. */
      readonly gaps: Readonly<Record<string, number>>;
    };
  /** Promises that were broken: all of them are judged, the first ten of each are named. */
  readonly violations: readonly SoakViolations[];
  readonly jobs: Readonly<Record<string, { readonly succeeded: boolean; readonly lastError: string | null }>>;
  readonly series: readonly SlopeVerdict[];
}

/** The service level: p95 below 2 s, fewer than 1 % of calls fail. */
const P95_MAX_MS = 2000;
const ERRORS_MAX_SHARE = 0.01;
/** By then every background job has had its first turn. */
const JOBS_DUE_MINUTES = 2;

/** What stands against a run; the verdict follows from it. */
export function reasonsOf(
  run: Pick<SoakReport, 'counts' | 'violations' | 'series' | 'jobs' | 'minutes'>,
): string[] {
  const { counts, violations, series, jobs, minutes } = run;
  const errors = counts.posts === 0 ? 0 : counts.failed / counts.posts;
  const p95 = series.find((each) => each.series === 'p95')?.level ?? 0;
  return [
    ...violations.map(({ check, count, examples }) => `${check}: ${count}, such as ${examples[0]}`),
    ...series.filter(({ verdict }) => verdict === 'grows').map(inWords),
    ...(errors >= ERRORS_MAX_SHARE
      ? [`${(errors * 100).toFixed(2)} % of the messages were not accepted`]
      : []),
    ...(p95 > P95_MAX_MS ? [`p95 is ${Math.round(p95)} ms on average`] : []),
    ...Object.entries(jobs)
      .filter(
        ([, { succeeded, lastError }]) => lastError !== null || (!succeeded && minutes >= JOBS_DUE_MINUTES),
      )
      .map(([job, { lastError }]) => `job ${job}: ${lastError ?? 'has never succeeded'}`),
  ];
}

export function verdictOf(
  reasons: readonly string[],
  series: readonly SlopeVerdict[],
): SoakReport['verdict'] {
  if (reasons.length > 0) return 'failed';
  return series.length === 0 || series.some(({ verdict }) => verdict === 'unknown') ? 'unknown' : 'passed';
}

export function inWords({
  series,
  unit,
  slopePerHour,
  certainGrowth,
  allowedGrowth,
  level,
}: SlopeVerdict): string {
  const show = (value: number) =>
    unit === 'bytes' && Math.abs(value) > 100_000
      ? `${(value / 2 ** 20).toFixed(1)} MiB`
      : `${Number(value.toPrecision(4))} ${unit}`;
  return `${series}: ${show(level)}, ${show(slopePerHour)} an hour; grew by ${show(certainGrowth)}, allowed ${show(allowedGrowth)}`;
}

export async function writeReport(file: string, report: SoakReport): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
}
