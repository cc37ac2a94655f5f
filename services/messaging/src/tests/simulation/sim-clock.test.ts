import { expect, test } from 'vitest';
import { SimClock } from './sim-clock.ts';
import { SimProcess } from './sim-process.ts';
import { SimRandom } from './sim-random.ts';

function scene() {
  const random = new SimRandom(1);
  const clock = new SimClock({ random, wallMs: 1_000_000 });
  const process = new SimProcess(clock, { random: random.fork(), skewMs: -500 });
  return { clock, process };
}

test('time stands still until every microtask, however deep, has run', async () => {
  const { clock } = scene();
  const seen: [string, number][] = [];
  clock.setTimer(10, () => {
    void (async () => {
      for (let n = 0; n < 5000; n++) await Promise.resolve();
      seen.push(['chain', clock.monotonic()]);
    })();
  });
  clock.setTimer(10, () => seen.push(['next', clock.monotonic()]));
  clock.setTimer(11, () => seen.push(['later', clock.monotonic()]));
  await clock.run(100);
  expect(seen).toEqual([
    ['chain', 10],
    ['next', 10],
    ['later', 11],
  ]);
  expect([clock.monotonic(), clock.now()]).toEqual([100, 1_000_100]);
});

test('timers fire by their time, then by the order in which they were set; a cancelled one does not', async () => {
  const { clock } = scene();
  const fired: number[] = [];
  const delays = [30, 10, 20, 10, 0, 40, 20];
  const timers = delays.map((delay, n) => clock.setTimer(delay, () => fired.push(n)));
  timers[2]!.cancel();
  await clock.run(35);
  expect(fired).toEqual([4, 1, 3, 6, 0]);
});

test('a paused process catches up in order, before anything newer happens to it', async () => {
  const { clock, process } = scene();
  const seen: string[] = [];
  process.pause();
  process.clock.setTimer(10, () => seen.push(`timer at ${process.clock.monotonic()}`));
  clock.setTimer(20, () => process.enter(() => seen.push('first')));
  clock.setTimer(30, () => process.enter(() => seen.push('second')));
  clock.setTimer(50, () => {
    process.resume();
    process.enter(() => seen.push('third'));
  });
  await clock.run(100);
  expect(seen).toEqual(['timer at 50', 'first', 'second', 'third']);
});

test('nothing happens in a dead process, and no answer reaches it', async () => {
  const { clock, process } = scene();
  const seen: string[] = [];
  process.clock.setTimer(20, () => seen.push('timer'));
  void process.pass(clock.sleep(20)).then(() => seen.push('answer'));
  clock.setTimer(10, () => process.kill());
  process.onDeath(() => seen.push('dead'));
  await clock.run(100);
  expect(seen).toEqual(['dead']);
});

test('each process has its own wall time, and all of them the same monotonic one', () => {
  const { clock, process } = scene();
  expect(process.clock.now() - clock.now()).toBe(-500);
  process.jump(90_000);
  clock.jump(10);
  expect(process.clock.now() - clock.now()).toBe(89_500);
  expect(process.clock.monotonic()).toBe(clock.monotonic());
});
