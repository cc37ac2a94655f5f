import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AckCounter } from './ack-counter.ts';

test('message, gap, member and reset count, nothing else does', () => {
  const counter = new AckCounter(256);
  for (const type of [
    'ready',
    'subscribed',
    'caught_up',
    'heartbeat',
    'pong',
    'error',
    'goaway',
    'later',
    'toString',
  ]) {
    counter.receive(type, 0);
  }
  expect(counter.take()).toBeUndefined();
  for (const type of ['message', 'gap', 'member', 'reset', 'message']) counter.receive(type, 0);
  expect(counter.take()).toBe(5);
});

test('is due 250 ms after the first one unacknowledged', () => {
  const counter = new AckCounter(256);
  expect(counter.dueAtMs()).toBeUndefined();
  counter.receive('message', 1000);
  counter.receive('message', 1200);
  expect(counter.dueAtMs()).toBe(1250);
  expect(counter.take()).toBe(2);
  expect(counter.dueAtMs()).toBeUndefined();
  counter.receive('gap', 5000);
  expect(counter.dueAtMs()).toBe(5250);
});

test.each([
  [256, 128],
  [10, 5],
  [3, 1],
  [1, 1],
])('with a credit of %d is due at once after %d', (credit, count) => {
  const counter = new AckCounter(credit);
  for (let i = 1; i < count; i++) counter.receive('message', 1000);
  expect(counter.dueAtMs()).not.toBe(1000);
  counter.receive('message', 1000);
  expect(counter.dueAtMs()).toBe(1000);
});

test('what is taken rises to what was received, and never says the same twice', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1024 }), fc.array(fc.nat({ max: 300 })), (credit, bursts) => {
      const counter = new AckCounter(credit);
      let received = 0;
      let last = 0;
      for (const burst of bursts) {
        for (let i = 0; i < burst; i++) counter.receive('message', received++);
        const delivered = counter.take();
        expect(delivered).toBe(burst === 0 ? undefined : received);
        if (delivered !== undefined) expect(delivered).toBeGreaterThan(last);
        last = delivered ?? last;
      }
    }),
  );
});

test('what is held back is not acknowledged, and waits anew from then on', () => {
  const counter = new AckCounter(8);
  for (let i = 0; i < 8; i++) counter.receive('message', 1000);
  expect([counter.dueAtMs(8), counter.take(8)]).toEqual([undefined, undefined]);
  expect([counter.dueAtMs(5), counter.take(5, 9000)]).toEqual([1250, 3]);
  expect(counter.dueAtMs(5)).toBeUndefined();
  expect([counter.dueAtMs(4), counter.dueAtMs(0)]).toEqual([9250, 9000]);
  expect(counter.take()).toBe(8);
});
