import { expect, test } from 'vitest';
import { fullJitterMs } from './backoff.ts';

const drawn = (random: number, failures: number, floorMs = 0): number =>
  fullJitterMs({ random: () => random }, { baseMs: 100, capMs: 1000, failures, floorMs });

test('the span doubles with each failure up to the cap', () => {
  expect([0, 1, 2, 3, 4, 1000].map((failures) => drawn(0.999999, failures))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
});

test('jitter is full: it may be nothing above the floor, and is never below it', () => {
  expect(drawn(0, 5)).toBe(0);
  expect(drawn(0, 5, 700)).toBe(700);
  expect(drawn(0.5, 0, 700)).toBe(750);
});

test('a floor that no timer could hold is held to an hour', () => {
  expect(drawn(0, 0, Number.MAX_SAFE_INTEGER)).toBe(3_600_000);
});
