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
  expect([counter.isDue(1249), counter.isDue(1250)]).toEqual([false, true]);
  expect(counter.take()).toBe(2);
  expect(counter.isDue(9999)).toBe(false);
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
  expect(counter.isDue(1000)).toBe(false);
  counter.receive('message', 1000);
  expect(counter.isDue(1000)).toBe(true);
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
      expect(counter.delivered).toBe(received);
    }),
  );
});
