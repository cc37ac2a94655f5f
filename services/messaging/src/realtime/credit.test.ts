import { expect, test } from 'vitest';
import { Credit } from './credit.ts';

test('credit is spent by frames and comes back by acknowledgements', () => {
  const credit = new Credit(2);
  credit.spend(10);
  expect(credit.usedUpSince).toBeUndefined();
  credit.spend(20);
  expect([credit.left, credit.usedUpSince]).toEqual([0, 20]);
  expect(credit.acknowledge(1)).toEqual({ advanced: true, occurredAt: undefined });
  expect([credit.left, credit.usedUpSince]).toEqual([1, undefined]);
});

test('an acknowledgement that falls, or claims what was never sent, is false', () => {
  const credit = new Credit(8);
  credit.spend(0);
  credit.spend(0);
  expect(credit.acknowledge(3)).toBe(false);
  expect(credit.acknowledge(2)).not.toBe(false);
  expect(credit.acknowledge(1)).toBe(false);
  expect(credit.acknowledge(2)).toEqual({ advanced: false, occurredAt: undefined });
});

test('one live message at a time is timed, and told once it is acknowledged', () => {
  const credit = new Credit(8);
  credit.spend(0);
  credit.spend(0, 1000);
  credit.spend(0, 2000);
  expect(credit.acknowledge(1)).toMatchObject({ occurredAt: undefined });
  expect(credit.acknowledge(3)).toMatchObject({ occurredAt: 1000 });
  credit.spend(0, 3000);
  expect(credit.acknowledge(4)).toMatchObject({ occurredAt: 3000 });
});
