import { expect, test } from 'vitest';
import { runSoak } from '../../soak/soak.ts';
import { SOAK_DEFAULTS } from '../../soak/soak-options.ts';

test('a soak in miniature: real servers, two pods, everything that lives by time, a verdict', async () => {
  const progress: string[] = [];
  const report = await runSoak(
    {
      ...SOAK_DEFAULTS,
      lengthMs: 8_000,
      squeezed: true,
      ratePerSecond: 40,
      conversations: 20,
      users: 12,
      sampleEveryMs: 500,
    },
    { signal: new AbortController().signal, progress: (line) => progress.push(line) },
  );
  expect(report.violations).toEqual([]);
  const { accepted, deliveries, reconnects, renewals, membershipChanges, created, failed } = report.counts;
  expect(accepted).toBeGreaterThan(200);
  expect(deliveries).toBeGreaterThan(accepted);
  expect(failed).toBe(0);
  for (const count of [reconnects, renewals, membershipChanges, created]) expect(count).toBeGreaterThan(0);
  expect(report.series.map(({ series }) => series)).toEqual(
    expect.arrayContaining([
      'pod 1 rss',
      'pod 2 heap',
      'descriptors',
      'pending entries',
      'outbox indexes',
      'counters and members beyond those made',
      'p99',
    ]),
  );
  expect(report.series.filter(({ verdict }) => verdict === 'grows')).toEqual([]);
  // The service's own probe has some, too.
  const { stateRowsMade, stateRowsKept } = report.counts;
  expect(stateRowsMade).toBeGreaterThanOrEqual(20 * 5);
  expect(Math.abs(stateRowsKept - stateRowsMade)).toBeLessThan(10);
  expect(report.interrupted).toBe(false);
}, 60_000);

test('ended by hand it judges what it has', async () => {
  const report = await runSoak(
    {
      ...SOAK_DEFAULTS,
      lengthMs: 3_600_000,
      squeezed: true,
      ratePerSecond: 20,
      conversations: 10,
      users: 10,
    },
    { signal: AbortSignal.timeout(4000), progress: () => undefined },
  );
  expect(report).toMatchObject({ verdict: 'unknown', interrupted: true, violations: [] });
}, 60_000);
