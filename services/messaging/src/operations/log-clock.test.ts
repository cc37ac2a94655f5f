import { expect, test } from 'vitest';
import { silentLog } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { ManualClock } from '../tests/support/manual-clock.ts';
import { LogClock } from './log-clock.ts';

function scene() {
  const own = new ManualClock();
  const metrics = createMetrics({ dispatcher: false, consumer: false });
  const clock = new LogClock(own);
  const offset = async () => (await metrics.clockOffset.get()).values[0]!.value;
  const compare = (aheadMs: number, takesMs = 0) =>
    clock.compare({
      metrics,
      log: silentLog,
      readTime: async () => {
        const at = own.now() + takesMs / 2;
        await own.advance(takesMs);
        return at + aheadMs;
      },
    });
  return { own, clock, offset, compare };
}

test('a clock that is minutes off is corrected by the log, and what it is off is told', async () => {
  const { own, clock, offset, compare } = scene();
  await compare(-600_000, 20);
  expect(clock.now()).toBe(own.now() - 600_000);
  expect(await offset()).toBe(600);
});

test('clocks that agree as well as a network can tell are left alone', async () => {
  const { own, clock, compare } = scene();
  await compare(200);
  expect(clock.now()).toBe(own.now());
});

test('once the clock is set right, so is the correction', async () => {
  const { own, clock, compare } = scene();
  await compare(5000);
  await compare(10);
  expect(clock.now()).toBe(own.now());
});

test('an answer that took too long, or none, changes nothing', async () => {
  const { own, clock, compare } = scene();
  await compare(60_000);
  await compare(0, 2000);
  expect(clock.now()).toBe(own.now() + 60_000);
});
