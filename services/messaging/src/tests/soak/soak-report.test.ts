import { expect, test } from 'vitest';
import { reasonsOf, type SoakReport, verdictOf } from './soak-report.ts';
import { judgeSlope } from './slopes.ts';

type Judged = Pick<SoakReport, 'counts' | 'violations' | 'series' | 'jobs' | 'minutes'>;

const flat = (series: string, value: number) =>
  judgeSlope(
    series,
    Array.from({ length: 20 }, (_, n) => ({ atMs: n * 5000, value })),
    { unit: 'ms', share: 0.5, floor: 100 },
  );

const WELL: Judged = {
  counts: {
    posts: 1000,
    failed: 0,
    failures: {},
    accepted: 1000,
    deliveries: 4000,
    rowsKept: 100,
    stateRowsMade: 60,
    stateRowsKept: 61,
    gaps: {},
    reconnects: 1,
    longAbsences: 0,
    renewals: 1,
    membershipChanges: 1,
    created: 1,
    retired: 0,
  },
  minutes: 60,
  violations: [],
  series: [flat('p95', 80)],
  jobs: { partitions: { succeeded: true, lastError: null } },
};

const verdict = (change: Partial<Judged>) => {
  const judged = { ...WELL, ...change };
  const reasons = reasonsOf(judged);
  return [verdictOf(reasons, judged.series), reasons.join()] as const;
};

test('a run without a fault passes', () => {
  expect(verdict({})).toEqual(['passed', '']);
});

test.each<[string, Partial<Judged>, RegExp]>([
  ['a broken promise', { violations: [{ check: 'late', count: 3, examples: ['user-1'] }] }, /^late: 3/],
  ['1 % of the messages refused', { counts: { ...WELL.counts, failed: 10 } }, /1.00 %/],
  ['a p95 of more than 2 s', { series: [flat('p95', 2100)] }, /p95 is 2100 ms/],
  [
    'a leak',
    {
      series: [
        judgeSlope(
          'pod 1 heap',
          Array.from({ length: 20 }, (_, n) => ({ atMs: n * 5000, value: 100 * 2 ** 20 * (1 + n / 50) })),
          { unit: 'bytes', share: 0.1, floor: 0 },
        ),
      ],
    },
    /^pod 1 heap: .* grew by 38.0 MiB/,
  ],
  [
    'a job that fails',
    { jobs: { prune_outbox: { succeeded: true, lastError: 'postgres: 55P03 in prune-outbox' } } },
    /55P03/,
  ],
  ['a job that never ran', { jobs: { prune_dlq: { succeeded: false, lastError: null } } }, /never succeeded/],
])('%s fails it', (_name, change, reason) => {
  expect(verdict(change)).toEqual(['failed', expect.stringMatching(reason)]);
});

test('in a run of a minute a job may not have had its turn', () => {
  expect(verdict({ minutes: 1, jobs: { prune_dlq: { succeeded: false, lastError: null } } })[0]).toBe(
    'passed',
  );
});

test('a run that was too short for a verdict has none', () => {
  expect(verdict({ series: [judgeSlope('p95', [], { unit: 'ms', share: 1, floor: 1 })] })[0]).toBe('unknown');
});
