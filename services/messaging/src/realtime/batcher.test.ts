import { expect, test } from 'vitest';
import { Fault } from '../errors.ts';
import { silentLog } from '../log.ts';
import { ManualClock, settle } from '../tests/support/manual-clock.ts';
import { Batcher, Stopped } from './batcher.ts';

function batcher(
  ask: (questions: number[]) => Promise<number[]>,
  clock = new ManualClock(),
  options: { batchMax?: number; inFlightMax?: number; blamedMax?: number } = {},
) {
  return new Batcher<number, number>({
    name: 'test',
    ask,
    batchMax: 3,
    inFlightMax: 1,
    clock,
    log: silentLog,
    ...options,
  });
}

test('what is asked in one turn goes in batches, and each gets its own answer', async () => {
  const batches: number[][] = [];
  const asking = batcher((questions) => {
    batches.push(questions);
    return Promise.resolve(questions.map((n) => n * 10));
  });
  expect(await Promise.all([1, 2, 3, 4].map((n) => asking.ask(n)))).toEqual([10, 20, 30, 40]);
  expect(batches).toEqual([[1, 2, 3], [4]]);
});

test('what is asked while a batch is under way goes with the next one', async () => {
  const batches: number[][] = [];
  const answers: (() => void)[] = [];
  const asking = batcher(async (questions) => {
    batches.push(questions);
    await new Promise<void>((resolve) => answers.push(resolve));
    return questions;
  });
  const first = asking.ask(1);
  await settle();
  const later = [asking.ask(2), asking.ask(3)];
  await settle();
  expect(batches).toEqual([[1]]);
  answers.shift()!();
  await first;
  await settle();
  expect(batches).toEqual([[1], [2, 3]]);
  answers.shift()!();
  expect(await Promise.all(later)).toEqual([2, 3]);
});

test('a batch that fails is asked again until it is answered', async () => {
  const clock = new ManualClock();
  let tries = 0;
  const asking = batcher((questions) => {
    tries += 1;
    return tries < 4 ? Promise.reject(new Fault('unavailable', 'gone')) : Promise.resolve(questions);
  }, clock);
  const answer = asking.ask(7);
  await clock.advance(10_000);
  expect([await answer, tries]).toEqual([7, 4]);
});

const TIMEOUT_MS = 5000;

/** A log that does not answer the negative questions in time, nor those that stand with one in a batch. */
function slowFor(clock: ManualClock) {
  const asked: number[][] = [];
  const ask = async (questions: number[]) => {
    asked.push(questions);
    if (!questions.some((question) => question < 0)) return questions;
    await clock.sleep(TIMEOUT_MS);
    throw new Fault('unavailable', 'too slow');
  };
  return { asked, ask };
}

test('questions that the log cannot answer hold up none of the others, and are given up', async () => {
  const clock = new ManualClock();
  const { ask, asked } = slowFor(clock);
  const asking = batcher(ask, clock, { inFlightMax: 2, blamedMax: 3 });
  const given = Promise.allSettled([-1, 1, -2, 2].map((n) => asking.ask(n)));
  await settle();
  const later = asking.ask(3);
  await clock.advance(TIMEOUT_MS + 100);
  expect(await later).toBe(3);
  for (let n = 4; n < 64; n += 1) {
    const answer = asking.ask(n);
    await clock.advance(1000);
    expect(await answer).toBe(n);
  }
  expect(await given).toEqual([
    { status: 'rejected', reason: expect.any(Stopped) },
    { status: 'fulfilled', value: 1 },
    { status: 'rejected', reason: expect.any(Stopped) },
    { status: 'fulfilled', value: 2 },
  ]);
  const tries = asked.length;
  await clock.advance(60_000);
  expect(asked).toHaveLength(tries);
});

test('beside questions that are never given up the others are answered at once', async () => {
  const clock = new ManualClock();
  const { ask } = slowFor(clock);
  const asking = batcher(ask, clock, { inFlightMax: 2 });
  const bad: Promise<unknown>[] = [];
  for (const question of [-1, -2]) {
    bad.push(asking.ask(question).catch((error: unknown) => error));
    await settle();
  }
  await clock.advance(TIMEOUT_MS + 100);
  for (let n = 1; n <= 20; n += 1) {
    const answer = asking.ask(n);
    await clock.advance(0);
    expect(await answer).toBe(n);
    await clock.advance(1000);
  }
  asking.stop();
  await clock.advance(TIMEOUT_MS);
  expect(await Promise.all(bad)).toEqual([expect.any(Stopped), expect.any(Stopped)]);
});

test('a log that is away gives nothing up, is asked little, and is asked in batches once it is back', async () => {
  const clock = new ManualClock();
  let isAway = true;
  const batches: number[][] = [];
  const asking = batcher(
    (questions) => {
      batches.push(questions);
      return isAway ? Promise.reject(new Fault('unavailable', 'gone')) : Promise.resolve(questions);
    },
    clock,
    { batchMax: 8, inFlightMax: 2, blamedMax: 2 },
  );
  const questions = Array.from({ length: 64 }, (_, index) => index);
  const answers = Promise.all(questions.map((question) => asking.ask(question)));
  await clock.advance(60_000);
  expect(batches.length).toBeLessThan(100);
  isAway = false;
  batches.length = 0;
  await clock.advance(2000);
  expect(await answers).toEqual(questions);
  expect(batches.length).toBeLessThan(32);
});

test('stopping tells everyone who waits', async () => {
  const clock = new ManualClock();
  const asking = batcher(() => Promise.reject(new Fault('unavailable', 'gone')), clock);
  const answer = asking.ask(1);
  const refusal = expect(answer).rejects.toBeInstanceOf(Stopped);
  await settle();
  asking.stop();
  await refusal;
  await expect(asking.ask(2)).rejects.toBeInstanceOf(Stopped);
});
