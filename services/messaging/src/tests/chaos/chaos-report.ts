import { createHash } from 'node:crypto';
import { fingerprintOf } from '../support/code-fingerprint.ts';
import { appendNdjson, readNdjson } from '../support/ndjson.ts';
import type { ChaosRun } from './chaos-run.ts';
import type { Scenario } from './scenario.ts';

/** The runs that are finished, in an NDJSON file, so that a stopped series goes on where it was. */
export class ChaosReport {
  readonly path: string;
  readonly #runs: ChaosRun[];

  constructor(path: string) {
    this.path = path;
    this.#runs = readNdjson<ChaosRun>(path);
  }

  /** Every run of a round by this code: one that failed counts, however often it is run again. */
  runsOf(wanted: Pick<ChaosRun, 'scenario' | 'postgres' | 'round' | 'code'>): ChaosRun[] {
    return this.#runs.filter(
      ({ scenario, postgres, round, code }) =>
        scenario === wanted.scenario &&
        postgres === wanted.postgres &&
        round === wanted.round &&
        code === wanted.code,
    );
  }

  append(run: ChaosRun): void {
    this.#runs.push(run);
    appendNdjson(this.path, run);
  }
}

const TESTS = 'services/messaging/src/tests';
/** The service, the client's rule and the harness. Scenarios count one by one. */
const SERVICE = fingerprintOf(
  [
    ...['ack-counter', 'cursor-book', 'cursor-rule'].map((file) => `packages/client/src/${file}.ts`),
    ...['packages/protocol/src', 'services/messaging/src'],
    ...['chaos', 'history', 'support'].map((folder) => `${TESTS}/${folder}`),
  ],
  { skips: ['tests', 'scenarios', 'adapters/memory'] },
);

/** What a scenario is played with, in one word: the service, the harness, and the scenario's own words. */
export function codeOf(scenario: Scenario): string {
  const words = JSON.stringify(scenario) + String(scenario.fault);
  return createHash('sha256').update(SERVICE).update(words).digest('hex').slice(0, 16);
}

export interface Summary {
  readonly scenario: string;
  readonly postgres: number;
  readonly rounds: number;
  readonly failed: number;
  /** Infinity where one has not recovered. */
  readonly medianMs: number;
  readonly maxMs: number;
  readonly recoverWithinMs: number;
}

/** One for each scenario and release, in the order of the runs. */
export function summarise(runs: readonly ChaosRun[]): Summary[] {
  const groups = new Map<string, ChaosRun[]>();
  for (const run of runs) {
    const key = `${run.scenario} ${run.postgres}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups.values()].map((group) => {
    const { scenario, postgres, recoverWithinMs } = group[0]!;
    const recoveries = group.map(({ recoveryMs }) => recoveryMs ?? Infinity).sort((a, b) => a - b);
    return {
      scenario,
      postgres,
      rounds: group.length,
      failed: group.filter(({ failures }) => failures.length > 0).length,
      medianMs: recoveries[Math.floor((recoveries.length - 1) / 2)]!,
      maxMs: recoveries.at(-1)!,
      recoverWithinMs,
    };
  });
}

/** Whether every run was as promised, and the median recovery within its bound. */
export function isAsPromised({ failed, medianMs, recoverWithinMs }: Summary): boolean {
  return failed === 0 && medianMs <= recoverWithinMs;
}

export function inWords(summaries: readonly Summary[]): string {
  const width = Math.max(8, ...summaries.map(({ scenario }) => scenario.length));
  const lines = summaries.map((summary) => {
    const { scenario, postgres, rounds, failed, medianMs, maxMs, recoverWithinMs } = summary;
    const mark = isAsPromised(summary) ? '✓' : '✗';
    const verdict = failed === 0 ? '' : `, ${failed} FAILED`;
    return (
      `${mark} ${scenario.padEnd(width)} PostgreSQL ${postgres}: ${rounds} rounds${verdict}, recovery ` +
      `median ${seconds(medianMs)}, max ${seconds(maxMs)} (goal ${seconds(recoverWithinMs)})`
    );
  });
  return lines.join('\n');
}

function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(1)} s` : 'never';
}
