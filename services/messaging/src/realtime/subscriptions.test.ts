import { expect, test } from 'vitest';
import { MemoryBus } from '../adapters/memory/memory-bus.ts';
import { silentLog } from '../log.ts';
import type { Channel } from '../ports.ts';
import { ManualClock, settle } from '../tests/support/manual-clock.ts';
import { Subscriptions } from './subscriptions.ts';

function scene() {
  const clock = new ManualClock();
  const bus = new MemoryBus({ clock });
  const subscriber = bus.subscriber();
  const confirmedAgain: Channel[][] = [];
  const active: Channel[] = [];
  const subscriptions = new Subscriptions({
    bus: subscriber,
    clock,
    log: silentLog,
    onConfirmed: (channels) => confirmedAgain.push([...channels]),
    mostActive: () => active,
  });
  return { clock, bus, subscriber, subscriptions, confirmedAgain, active };
}

test('a channel is held once its subscription is confirmed', async () => {
  const { clock, subscriber, subscriptions, confirmedAgain } = scene();
  const held = subscriptions.hold('c:one');
  await clock.advance(100);
  expect([await held, subscriber.has('c:one')]).toEqual([true, true]);
  expect(await subscriptions.hold('c:one')).toBe(true);
  expect(confirmedAgain).toEqual([]);
});

test('while the bus is down nobody waits, and everything is subscribed when it is back', async () => {
  const { clock, bus, subscriber, subscriptions, confirmedAgain } = scene();
  bus.goDown();
  await clock.advance(100);
  expect(await subscriptions.hold('c:one')).toBe(false);
  expect(await subscriptions.hold('c:two')).toBe(false);
  bus.comeUp();
  await clock.advance(2000);
  expect([subscriber.has('c:one'), subscriber.has('c:two')]).toEqual([true, true]);
  expect(confirmedAgain.flat().sort()).toEqual(['c:one', 'c:two']);
});

test('a lost connection is made good, and what was not heard meanwhile is named', async () => {
  const { clock, bus, subscriber, subscriptions, confirmedAgain } = scene();
  await Promise.all([subscriptions.hold('c:one'), clock.advance(100)]);
  bus.loseConnections();
  await clock.advance(2000);
  expect(subscriber.has('c:one')).toBe(true);
  expect(confirmedAgain).toEqual([['c:one']]);
});

test('after a loss the most active channels are subscribed first', async () => {
  const { clock, bus, subscriptions, confirmedAgain, active } = scene();
  const channels = Array.from({ length: 600 }, (_, n): Channel => `c:${n}`);
  await Promise.all([...channels.map((channel) => subscriptions.hold(channel)), clock.advance(5000)]);
  active.push('c:7', 'c:gone', 'c:3');
  bus.loseConnections();
  await clock.advance(5000);
  expect(confirmedAgain[0]!.slice(0, 3)).toEqual(['c:7', 'c:3', 'c:599']);
  expect(confirmedAgain.flat().sort()).toEqual(channels.toSorted());
});

test('more channels than a piece holds go one piece after another, the last wanted first', async () => {
  const { clock, bus, subscriber, subscriptions, confirmedAgain } = scene();
  const channels = Array.from({ length: 1200 }, (_, n): Channel => `c:${n}`);
  const holding = Promise.all(channels.map((channel) => subscriptions.hold(channel)));
  await clock.advance(5000);
  expect(new Set(await holding)).toEqual(new Set([true]));
  bus.loseConnections();
  await clock.advance(5000);
  expect(confirmedAgain.map((piece) => piece.length)).toEqual([500, 500, 200]);
  expect(confirmedAgain[0]![0]).toBe('c:1199');
  expect(channels.every((channel) => subscriber.has(channel))).toBe(true);
});

test('a channel that is dropped and wanted again at once is held in the end', async () => {
  const { clock, subscriber, subscriptions } = scene();
  await Promise.all([subscriptions.hold('c:one'), clock.advance(100)]);
  subscriptions.drop('c:one');
  const again = subscriptions.hold('c:one');
  await clock.advance(100);
  await settle();
  expect([await again, subscriber.has('c:one')]).toEqual([true, true]);
});

test('a channel that nobody wants any more is given back', async () => {
  const { clock, subscriber, subscriptions } = scene();
  await Promise.all([subscriptions.hold('c:one'), clock.advance(100)]);
  subscriptions.drop('c:one');
  await clock.advance(100);
  expect(subscriber.has('c:one')).toBe(false);
});

test('what somebody waits for goes before what is had again, users before conversations', async () => {
  const { clock, bus, subscriber, subscriptions } = scene();
  const channels = Array.from({ length: 1200 }, (_, n): Channel => `c:${n}`);
  await Promise.all([...channels.map((channel) => subscriptions.hold(channel)), clock.advance(5000)]);
  const asked: (readonly Channel[])[] = [];
  const subscribe = subscriber.subscribe.bind(subscriber);
  subscriber.subscribe = (piece) => {
    asked.push(piece);
    if (asked.length === 1) {
      void subscriptions.hold('c:new');
      void subscriptions.hold('c:0');
      void subscriptions.hold('u:new');
    }
    return subscribe(piece);
  };
  bus.loseConnections();
  await clock.advance(5000);
  expect(asked[1]!.slice(0, 3)).toEqual(['u:new', 'c:new', 'c:0']);
  expect(asked.map((piece) => piece.length)).toEqual([500, 500, 202]);
  expect(channels.every((channel) => subscriber.has(channel))).toBe(true);
});
