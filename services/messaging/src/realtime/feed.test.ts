import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Feed } from './feed.ts';
import { type FeedItem, SharedFrame } from './shared-frame.ts';

const CONVERSATION = '00000000-0000-4000-8000-000000000001';

function message(seq: number, live = true): FeedItem {
  const frame = new SharedFrame(Buffer.from(`{"seq":${seq}}`));
  return { kind: 'message', from: seq, to: seq, membersVersion: 1, occurredAt: 0, frame, live };
}

function gap(from: number, to: number): FeedItem {
  return { kind: 'gap', from, to, reason: 'dead_letter', membersVersion: 0 };
}

function watched(head: number): { feed: Feed; seen: FeedItem[] } {
  const feed = new Feed(CONVERSATION);
  const seen: FeedItem[] = [];
  feed.observer = (item) => seen.push(item);
  feed.start(head);
  return { feed, seen };
}

describe('what arrives', () => {
  test('the next one moves the tip', () => {
    const { feed } = watched(4);
    expect(feed.arrive(message(5))).toBe('next');
    expect([feed.tip, feed.head]).toEqual([5, 5]);
  });

  test('what is at or below the tip is a repeat', () => {
    const { feed, seen } = watched(4);
    expect(feed.arrive(message(4))).toBe('repeat');
    expect(seen).toEqual([]);
  });

  test('what is above a hole is held until the missing one comes', () => {
    const { feed, seen } = watched(4);
    expect(feed.arrive(message(7))).toBe('ahead');
    expect(feed.arrive(message(6))).toBe('ahead');
    expect([feed.tip, feed.head]).toEqual([4, 7]);
    expect(feed.arrive(message(5))).toBe('next');
    expect(seen.map((item) => item.to)).toEqual([5, 6, 7]);
  });

  test('held are as many bytes as are kept; what does not fit is read from the log', () => {
    const { feed, seen } = watched(4);
    const large = (seq: number): FeedItem =>
      ({
        ...message(seq),
        frame: new SharedFrame(Buffer.alloc(100_000)),
      }) as FeedItem;
    for (let seq = 6; seq <= 20; seq++) feed.arrive(large(seq));
    feed.arrive(large(5));
    expect(seen.map((item) => item.to)).toEqual([5, 6, 7, 8]);
    expect([feed.tip, feed.head]).toEqual([8, 20]);
    feed.extend(Array.from({ length: 12 }, (_, n) => message(9 + n, false)));
    for (let seq = 22; seq <= 24; seq++) feed.arrive(large(seq));
    feed.arrive(large(21));
    expect(feed.tip).toBe(24);
  });

  test('what comes between the confirmation of the channel and the read of the head is kept', () => {
    const feed = new Feed(CONVERSATION);
    const seen: FeedItem[] = [];
    feed.observer = (item) => seen.push(item);
    feed.arrive(message(5));
    feed.arrive(message(6));
    feed.start(5);
    expect(seen.map((item) => item.to)).toEqual([6]);
    expect(feed.tip).toBe(6);
  });
});

describe('what is read from the log', () => {
  test('fills a hole, and lets go what was held above it', () => {
    const { feed, seen } = watched(4);
    feed.arrive(message(8));
    expect(feed.extend([message(5, false), gap(6, 7)])).toBe(2);
    expect(seen.map(({ from, to }) => [from, to])).toEqual([
      [5, 5],
      [6, 7],
      [8, 8],
    ]);
    expect(feed.recent(7)).toMatchObject({ kind: 'gap' });
  });

  test('what came by the bus meanwhile is not taken twice', () => {
    const { feed, seen } = watched(4);
    feed.arrive(message(5));
    expect(feed.extend([message(5, false), message(6, false)])).toBe(1);
    expect(seen.map((item) => item.to)).toEqual([5, 6]);
  });

  test('a page that begins above the tip leaves no hole', () => {
    const { feed, seen } = watched(4);
    expect(feed.extend([message(6, false)])).toBe(0);
    expect(seen).toEqual([]);
  });
});

test('the ring keeps the latest, within its bounds', () => {
  const { feed } = watched(0);
  for (let seq = 1; seq <= 1000; seq++) feed.arrive(message(seq));
  expect(feed.recent(1000)).toBeDefined();
  expect(feed.recent(1)).toBeUndefined();
  expect(feed.ringBytes).toBeLessThanOrEqual(256 * 1024);
  feed.dropRing();
  expect([feed.recent(1000), feed.ringBytes, feed.tip]).toEqual([undefined, 0, 1000]);
});

test('whatever the order and the repeats, what is offered is contiguous', () => {
  const arrivals = fc.array(
    fc.record({
      seq: fc.integer({ min: 1, max: 60 }),
      page: fc.boolean(),
      size: fc.integer({ min: 1, max: 9 }),
    }),
    { maxLength: 300 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 20 }), arrivals, (head, events) => {
      const { feed, seen } = watched(head);
      for (const { seq, page, size } of events) {
        if (page) feed.extend(Array.from({ length: size }, (_, n) => message(seq + n, false)));
        else feed.arrive(message(seq));
      }
      expect(seen.map((item) => item.from)).toEqual(seen.map((_, n) => head + 1 + n));
      expect(feed.tip).toBe(head + seen.length);
    }),
  );
});
