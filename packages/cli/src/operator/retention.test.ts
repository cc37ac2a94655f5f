import { Fleet } from '@sanctum/messaging/operations/fleet';
import { expect, test } from 'vitest';
import { UsageError } from '../cli-error.ts';
import { ManualClock } from '../tests/manual-clock.ts';
import { podFigures } from '@sanctum/messaging/tests/support/pod-figures';
import { type Retention, retentionDisagreements, retentionOfPods, retentionToPrune } from './retention.ts';
import { storeConfig } from './stores.ts';

const MONTH = { outboxDays: 30, dlqDays: 60 };
const WEEK = { outboxDays: 7, dlqDays: 30 };

/** Pods that say this, a shell with these variables. */
function where(said: readonly (Retention | undefined)[], env: Record<string, string> = {}, silentMs = 0) {
  const fleet = new Fleet(new ManualClock());
  said.forEach((retention, i) =>
    fleet.hear(podFigures({ name: `pod-${i}`, ...(retention && { retention }) }), silentMs),
  );
  return {
    shell: { env },
    fleet,
    config: storeConfig(env, { postgres: 'postgres://none', redis: undefined }),
  };
}

test('the pods say it, and the longest of them counts', () => {
  expect(retentionToPrune(where([WEEK, MONTH, undefined]), {})).toEqual(MONTH);
  expect(retentionOfPods(where([WEEK, MONTH]).fleet)).toEqual(MONTH);
});

test('a shell that would keep less is refused, one that keeps more is not', () => {
  expect(() => retentionToPrune(where([MONTH], { OUTBOX_RETENTION_DAYS: '7' }), {})).toThrow(
    'OUTBOX_RETENTION_DAYS is 7 in this shell, but the pods keep messages for 30 days',
  );
  // Said on purpose is said as an option.
  expect(() => retentionToPrune(where([MONTH], { DLQ_RETENTION_DAYS: '7' }), { force: true })).toThrow(
    'DLQ_RETENTION_DAYS is 7 in this shell, but the pods keep dead letters for 60 days',
  );
  expect(retentionToPrune(where([MONTH], { OUTBOX_RETENTION_DAYS: '31' }), {}).outboxDays).toBe(31);
});

test('pods that have been silent for less than an hour still count', () => {
  const env = { OUTBOX_RETENTION_DAYS: '1', DLQ_RETENTION_DAYS: '1' };
  const minute = 60_000;
  expect(() => retentionToPrune(where([WEEK], env, 59 * minute), {})).toThrow('the pods keep messages for 7');
  expect(retentionToPrune(where([WEEK], env, 61 * minute), {})).toEqual({ outboxDays: 1, dlqDays: 1 });
});

test('an option that would keep less needs --force', () => {
  const short = { outboxDays: 3, dlqDays: 14 };
  expect(() => retentionToPrune(where([MONTH]), short)).toThrow(
    '--outbox-days is 3, but the pods keep messages for 30 days',
  );
  expect(retentionToPrune(where([MONTH]), { ...short, force: true })).toEqual(short);
  expect(retentionToPrune(where([MONTH]), { outboxDays: 40 })).toEqual({ outboxDays: 40, dlqDays: 60 });
});

test('where no pod says it, options or variables must', () => {
  const alone = where([]);
  expect(() => retentionToPrune(alone, { outboxDays: 7 })).toThrow(UsageError);
  expect(() => retentionToPrune(alone, { outboxDays: 7 })).toThrow('no pod says for how long dead letters');
  expect(() => retentionToPrune(where([undefined]), {})).toThrow('no pod says for how long messages');
  expect(retentionToPrune(alone, WEEK)).toEqual(WEEK);
  const env = { OUTBOX_RETENTION_DAYS: '9', DLQ_RETENTION_DAYS: '90' };
  expect(retentionToPrune(where([], env), {})).toEqual({ outboxDays: 9, dlqDays: 90 });
  expect(retentionOfPods(alone.fleet)).toBeUndefined();
});

test('disagreement is told: among pods, and of this shell with them', () => {
  expect(retentionDisagreements(where([WEEK, MONTH]))).toEqual([
    'pods keep messages for different times: 30 days, 7 days; the shortest counts',
    'pods keep dead letters for different times: 60 days, 30 days; the shortest counts',
  ]);
  expect(retentionDisagreements(where([MONTH], { OUTBOX_RETENTION_DAYS: '7' }))).toEqual([
    'OUTBOX_RETENTION_DAYS is 7 in this shell, and the pods keep messages for 30 days',
  ]);
  expect(retentionDisagreements(where([MONTH]))).toEqual([]);
});
