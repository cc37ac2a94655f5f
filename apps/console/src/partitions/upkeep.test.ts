import type { Partitions } from '@sanctum/protocol/admin';
import { expect, test } from 'vitest';
import { backgroundJobState, partitionWarnings } from './upkeep.ts';

const NOW = Date.UTC(2026, 10, 25, 12);
const HOUR_MS = 3_600_000;
const DAY = 24 * 3600;

const job = (agoMs: number | null, error: string | null = null) => ({
  name: 'partitions',
  last_success_at: agoMs === null ? null : new Date(NOW - agoMs).toISOString(),
  last_error: error,
});
const storage = (change: Partial<Partitions>): Partitions => ({
  partitions: [],
  retention: { outbox_days: 7, dlq_days: 30 },
  ahead_seconds: 3 * DAY,
  dlq_rows: 0,
  background_jobs: [],
  ...change,
});

test('a background job that has not succeeded for three hours does not "work"', () => {
  const signs = [2.9 * HOUR_MS, 3.1 * HOUR_MS, null].map((ago) => backgroundJobState(job(ago), NOW).sign);
  expect(signs).toEqual(['ok', 'warn', 'waiting']);
  expect(backgroundJobState(job(HOUR_MS, 'disk full'), NOW)).toEqual({ sign: 'bad', words: 'disk full' });
});

test('partitions that end within two days are told', () => {
  expect(partitionWarnings(storage({ ahead_seconds: 2.1 * DAY }))).toEqual([]);
  expect(partitionWarnings(storage({ ahead_seconds: 1.9 * DAY }))).toEqual([
    expect.stringContaining('Partitions reach only'),
  ]);
});
