import { expect, it } from 'vitest';
import { ManualClock } from '../tests/support/manual-clock.ts';
import { Recovery } from './recovery.ts';

it('rests after a failure, for longer each time, and never for more than a second', async () => {
  const clock = new ManualClock();
  const recovery = new Recovery(clock);
  const rests: number[] = [];
  for (let i = 0; i < 12; i++) {
    recovery.failed();
    const since = clock.monotonic();
    while (!recovery.due) await clock.advance(1);
    rests.push(clock.monotonic() - since);
    recovery.answered();
    expect(recovery.state).toBe('trying');
  }
  expect(rests[0]).toBeLessThanOrEqual(51);
  expect(rests.at(-1)).toBeGreaterThanOrEqual(500);
  expect(rests.at(-1)).toBeLessThanOrEqual(1_001);
  expect(recovery.failures).toBe(12);
});

it('is well again only by a success', () => {
  const recovery = new Recovery(new ManualClock());
  recovery.failed();
  recovery.succeeded();
  expect(recovery.state).toBe('resting');
  recovery.answered();
  recovery.succeeded();
  expect([recovery.state, recovery.failures]).toEqual(['well', 0]);
});

it('takes what fails together for one failure', () => {
  const recovery = new Recovery(new ManualClock());
  for (let lane = 0; lane < 4; lane++) recovery.failed();
  expect(recovery.failures).toBe(1);
});
