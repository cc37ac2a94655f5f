import { expect, it } from 'vitest';
import { systemClock } from './clock.ts';
import { Latch } from './latch.ts';

const LONG_MS = 60_000;

it('ends a wait by a word', async () => {
  const latch = new Latch();
  const wait = latch.wait(systemClock, LONG_MS);
  latch.say();
  await wait;
});

it('keeps a word that nobody waited for, once', async () => {
  const latch = new Latch();
  latch.say();
  latch.say();
  await latch.wait(systemClock, LONG_MS);
  let second = false;
  const wait = latch.wait(systemClock, LONG_MS).then(() => (second = true));
  await Promise.resolve();
  expect(second).toBe(false);
  latch.say();
  await wait;
});

it('ends a wait by the time', async () => {
  await new Latch().wait(systemClock, 1);
});
