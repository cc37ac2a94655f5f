import { expect, test } from 'vitest';
import { Fault } from '../errors.ts';
import { silentLog } from '../log.ts';
import { ManualClock, settle } from '../tests/support/manual-clock.ts';
import { Batcher, Stopped } from './batcher.ts';

function batcher(ask: (questions: number[]) => Promise<number[]>, clock = new ManualClock()) {
  return new Batcher<number, number>({
    name: 'test',
    ask,
    batchMax: 3,
    inFlightMax: 1,
    clock,
    log: silentLog,
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
