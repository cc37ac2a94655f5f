import { expect, test } from 'vitest';
import { ManualClock, settle } from '../tests/manual-clock.ts';
import { Pause } from './pause.ts';

/** Its timers fire too early, as Node's do by what its loop has spent since it looked at the clock. */
class HastyClock extends ManualClock {
  override setTimer(delayMs: number, action: () => void) {
    return super.setTimer(Math.max(1, delayMs - 7), action);
  }
}

async function endOf(pause: Pause, clock: ManualClock): Promise<number> {
  let endedAt: number | undefined;
  void pause.over.then(() => (endedAt = clock.monotonic()));
  for (let ms = 0; ms < 20_000 && endedAt === undefined; ms++) await clock.advance(1);
  return endedAt ?? NaN;
}

test('never ends before the time that was told, though its timer fires early', async () => {
  const clock = new HastyClock();
  const beganAt = clock.monotonic();
  const pause = new Pause(clock, { lengthMs: 500, floorMs: 0 });
  expect(await endOf(pause, clock)).toBe(beganAt + 500);
});

test('cut short, it ends at its floor, though its timer fires early', async () => {
  const clock = new HastyClock();
  const beganAt = clock.monotonic();
  const pause = new Pause(clock, { lengthMs: 15_000, floorMs: 2000 });
  await clock.advance(300);
  pause.cutShort();
  pause.cutShort();
  expect(await endOf(pause, clock)).toBe(beganAt + 2000);
});

test('is not made longer by being cut short', async () => {
  const clock = new ManualClock();
  const beganAt = clock.monotonic();
  const pause = new Pause(clock, { lengthMs: 200, floorMs: 0 });
  pause.cutShort();
  expect(await endOf(pause, clock)).toBe(beganAt + 200);
});

test('is over at once when it is ended', async () => {
  const clock = new ManualClock();
  const pause = new Pause(clock, { lengthMs: 15_000, floorMs: 15_000 });
  pause.end();
  await settle();
  expect(await Promise.race([pause.over.then(() => 'over'), settle().then(() => 'waits')])).toBe('over');
});
