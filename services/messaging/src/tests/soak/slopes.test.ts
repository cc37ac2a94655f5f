import { describe, expect, test } from 'vitest';
import { judgeSlope, type Point } from './slopes.ts';

const MIB = 2 ** 20;
const BOUND = { unit: 'bytes', share: 0.1, floor: 8 * MIB };

/** A point every 5 s for an hour; noise that is the same in every run. */
function hour(valueAt: (share: number, noise: number) => number): Point[] {
  let seed = 1;
  return Array.from({ length: 720 }, (_, index) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return { atMs: index * 5000, value: valueAt(index / 720, seed / 2_147_483_647 - 0.5) };
  });
}

describe('a series that grows', () => {
  test('by a leak of 20 % in the hour, under noise of 30 %', () => {
    const verdict = judgeSlope(
      'heap',
      hour((share, noise) => 100 * MIB * (1 + 0.2 * share + 0.3 * noise)),
      BOUND,
    );
    expect(verdict.verdict).toBe('grows');
    expect(verdict.slopePerHour / MIB).toBeCloseTo(20, 0);
  });

  test('by a leak in steps', () => {
    const steps = hour((share) => 100 * MIB + Math.floor(share * 6) * 5 * MIB);
    expect(judgeSlope('heap', steps, BOUND).verdict).toBe('grows');
  });

  test('one handle a minute', () => {
    const handles = hour((share) => 60 + Math.floor(share * 60));
    expect(judgeSlope('handles', handles, { unit: 'handles', share: 0.1, floor: 16 }).verdict).toBe('grows');
  });
});

describe('a series that does not', () => {
  test.each([
    ['level', () => 100 * MIB],
    ['noise', (_: number, noise: number) => 100 * MIB * (1 + noise)],
    ['saw teeth', (share: number) => (100 + 40 * ((share * 30) % 1)) * MIB],
    ['falling', (share: number) => (200 - 80 * share) * MIB],
    ['less than the floor', (share: number) => (10 + 6 * share) * MIB],
    ['one spike at the end', (share: number) => (share > 0.99 ? 300 : 100) * MIB],
  ])('%s', (_name, valueAt) => {
    expect(judgeSlope('rss', hour(valueAt), BOUND).verdict).toBe('flat');
  });
});

test('a handful of points says nothing', () => {
  expect(judgeSlope('rss', hour(() => 1).slice(0, 7), BOUND).verdict).toBe('unknown');
  expect(judgeSlope('rss', [], BOUND).verdict).toBe('unknown');
});
