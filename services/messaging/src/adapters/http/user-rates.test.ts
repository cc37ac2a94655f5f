import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../tests/support/manual-clock.ts';
import { UserRates } from './user-rates.ts';

const LIMIT = { burst: 6, perSecond: 3 };

function taken(rates: UserRates, userId: string, tries: number): number {
  return Array.from({ length: tries }, () => rates.take(userId)).filter((waitMs) => waitMs === 0).length;
}

describe('UserRates', () => {
  it('takes the burst at once, then the rate, and says when there is room', async () => {
    const clock = new ManualClock();
    const rates = new UserRates(clock, LIMIT, 10);
    expect(taken(rates, 'alice', 20)).toBe(6);
    const waitMs = rates.take('alice');
    expect(waitMs).toBe(334);
    await clock.advance(waitMs - 2);
    expect(rates.take('alice')).toBeGreaterThan(0);
    await clock.advance(2);
    expect(rates.take('alice')).toBe(0);
    await clock.advance(1000);
    expect(taken(rates, 'alice', 20)).toBe(3);
    await clock.advance(3_600_000);
    expect(taken(rates, 'alice', 20)).toBe(6);
  });

  it('never refuses who keeps to the rate', async () => {
    const clock = new ManualClock();
    const rates = new UserRates(clock, LIMIT, 10);
    for (let second = 0; second < 1000; second++) {
      expect(taken(rates, 'alice', 3)).toBe(3);
      await clock.advance(1000);
    }
  });

  it('costs nobody else anything', () => {
    const rates = new UserRates(new ManualClock(), LIMIT, 10);
    taken(rates, 'alice', 100);
    expect(taken(rates, 'bob', 100)).toBe(6);
  });

  it('forgets who has been idle, and is bounded where all are busy', async () => {
    const clock = new ManualClock();
    const rates = new UserRates(clock, LIMIT, 10);
    for (let n = 0; n < 30; n++) taken(rates, `user-${n}`, 6);
    expect(rates.size).toBe(10);
    expect(rates.take('user-29')).toBeGreaterThan(0);
    // Forgotten as the longest idle: full again, which is the price of the bound.
    expect(rates.take('user-0')).toBe(0);
    await clock.advance(10_000);
    rates.take('alice');
    expect(rates.size).toBe(1);
  });
});
