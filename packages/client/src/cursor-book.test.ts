import type { GapFrame, MemberFrame, MessageFrame, ReadyFrame, ServerFrame } from '@sanctum/protocol';
import { describe, expect, test } from 'vitest';
import { CursorBook, type CursorSnapshot } from './cursor-book.ts';

const A = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
const B = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb';
const NOW = '2025-02-03T04:05:06.789Z';

const message = (conversationId: string, seq: number): MessageFrame => ({
  type: 'message',
  conversation_id: conversationId,
  seq,
  message_id: B,
  event_type: 'MessageCreated',
  occurred_at: NOW,
  members_version: 1,
  payload: {},
});
const gap = (from: number, to: number): GapFrame => ({
  type: 'gap',
  conversation_id: A,
  from,
  to,
  reason: 'dead_letter',
});
const member = (change: 'added' | 'removed', head: number, version: number): MemberFrame => ({
  type: 'member',
  conversation_id: A,
  change,
  user_id: 'u',
  seq: head,
  head,
  members_version: version,
});
const ready = (epoch: number): ReadyFrame => ({
  type: 'ready',
  connection_id: 'c',
  user_id: 'u',
  epoch,
  features: [],
  heartbeat_ms: 30_000,
  credit: 256,
  max_frame_bytes: 65_536,
  payload_max_bytes: 65_536,
  expires_at: NOW,
  server_time: NOW,
});
const stored = (...cursors: [string, number][]): CursorSnapshot => ({
  epoch: 3,
  conversations: cursors.map(([conversationId, cursor]) => ({ conversationId, cursor })),
});
const kinds = (book: CursorBook, ...frames: ServerFrame[]): string[] =>
  frames.flatMap((frame) => book.apply(frame).map(({ kind }) => kind));

test('conversations do not touch one another', () => {
  const book = new CursorBook(stored([A, 4], [B, 9]));
  expect(kinds(book, message(A, 5), message(B, 10), message(A, 5), message(B, 12))).toEqual([
    'deliver',
    'deliver',
    'drop',
    'fault',
  ]);
  expect([book.cursorOf(A), book.cursorOf(B)]).toEqual([5, 10]);
});

test('an effect brings its frame along', () => {
  const frame = message(A, 5);
  expect(new CursorBook(stored([A, 4])).apply(frame)).toEqual([
    { kind: 'deliver', conversationId: A, frame },
  ]);
});

test('subscribed seats, and its errors forget', () => {
  const book = new CursorBook(stored([B, 9]));
  const effects = book.apply({
    type: 'subscribed',
    conversations: [
      { conversation_id: A, status: 'ok', after: 2, head: 5, min: 1 },
      { conversation_id: B, status: 'error', code: 'conversation_not_found' },
    ],
  });
  expect(effects).toEqual([
    { kind: 'seated', conversationId: A, after: 2 },
    { kind: 'refused', conversationId: B, code: 'conversation_not_found' },
  ]);
  expect(book.snapshot().conversations.map(({ conversationId }) => conversationId)).toEqual([A]);
});

test('only an answer with an id re-seats', () => {
  const book = new CursorBook(stored([A, 5]));
  const conversations = [{ conversation_id: A, status: 'ok' as const, after: 2, head: 5, min: 1 }];
  expect(kinds(book, { type: 'subscribed', conversations })).toEqual(['drop']);
  expect(kinds(book, { type: 'subscribed', id: 0, conversations }, message(A, 3))).toEqual([
    'seated',
    'deliver',
  ]);
});

test('a seat above the cursor, which another connection has set meanwhile, is a fault', () => {
  const book = new CursorBook(stored([A, 5]));
  const conversations = [{ conversation_id: A, status: 'ok' as const, after: 7, head: 7, min: 1 }];
  expect(book.apply({ type: 'subscribed', conversations })).toMatchObject([
    { kind: 'fault', conversationId: A },
  ]);
  expect(book.cursorOf(A)).toBe(5);
});

describe('epochs', () => {
  test('the first ready names it', () => {
    const book = new CursorBook();
    expect(book.helloFrames()).toEqual([{ type: 'hello' }]);
    book.apply(ready(7));
    expect(book.epoch).toBe(7);
  });

  test('cursors stay of their epoch until the reset that follows has come', () => {
    const book = new CursorBook(stored([A, 5], [B, 6]));
    book.apply(ready(4));
    expect(book.snapshot()).toMatchObject({ epoch: 3, conversations: [{ cursor: 5 }, { cursor: 6 }] });
    const reset: ServerFrame = { type: 'reset', conversation_id: '*', epoch: 4, reason: 'epoch' };
    expect(kinds(book, reset)).toEqual(['reset', 'reset']);
    expect(book.snapshot()).toEqual({ epoch: 4, conversations: [] });
    expect(book.helloFrames()).toEqual([{ type: 'hello', epoch: 4 }]);
  });

  test('a reset of one conversation leaves the others', () => {
    const book = new CursorBook(stored([A, 5], [B, 6]));
    book.apply({ type: 'reset', conversation_id: A, epoch: 3, head: 2, reason: 'cursor_ahead' });
    expect([book.cursorOf(A), book.cursorOf(B)]).toEqual([undefined, 6]);
  });

  test('cursors stored without one are not used', () => {
    const book = new CursorBook({ conversations: [{ conversationId: A, cursor: 5 }] });
    expect(book.cursorOf(A)).toBeUndefined();
  });
});

describe('hello', () => {
  const many = (count: number): CursorBook =>
    new CursorBook(stored(...Array.from({ length: count }, (_, i): [string, number] => [`c${i}`, i])));

  test.each([
    [1, []],
    [500, []],
    [501, [1]],
    [1500, [1000]],
    [1501, [1000, 1]],
    [3700, [1000, 1000, 1000, 200]],
  ])('with %d cursors goes on in frames of %j', (count, further) => {
    const [hello, ...rest] = many(count).helloFrames({ token: 't' });
    expect(hello).toMatchObject({ type: 'hello', token: 't', epoch: 3 });
    expect(hello.cursors).toHaveLength(Math.min(count, 500));
    expect(hello.more).toBe(further.length > 0 ? true : undefined);
    expect(rest.map((frame) => frame.cursors.length)).toEqual(further);
    expect(rest.map((frame) => frame.more)).toEqual(
      further.map((_, i) => (i < further.length - 1 ? true : undefined)),
    );
    expect(new Set([hello, ...rest].flatMap((frame) => frame.cursors?.map(([id]) => id))).size).toBe(count);
  });

  test('for no conversations brings no cursors', () => {
    expect(many(3).helloFrames({ subscribe: 'none' })).toEqual([
      { type: 'hello', subscribe: 'none', epoch: 3 },
    ]);
  });
});

test('another connection goes on where a snapshot was taken, through JSON too', () => {
  const book = new CursorBook(stored([A, 4]));
  kinds(book, member('added', 4, 2), gap(5, 7), message(A, 8), message(A, 6));
  const again = new CursorBook(JSON.parse(JSON.stringify(book.snapshot())) as CursorSnapshot);
  expect(again.stateOf(A)).toEqual(book.stateOf(A));
  expect(again.openRanges()).toEqual([
    {
      conversationId: A,
      ranges: [
        [5, 5],
        [7, 7],
      ],
    },
  ]);
  expect(kinds(again, member('removed', 8, 2), message(A, 7), message(A, 6), message(A, 9))).toEqual([
    'drop',
    'deliver_late',
    'drop',
    'deliver',
  ]);
});

test('who left and came back goes on behind what they missed', () => {
  const book = new CursorBook(stored([A, 4]));
  expect(
    kinds(book, member('removed', 4, 5), member('removed', 4, 5), member('added', 9, 6), message(A, 10)),
  ).toEqual(['left', 'drop', 'joined', 'deliver']);
});

test('frames it does not know, or that move no cursor, do nothing', () => {
  const book = new CursorBook(stored([A, 4]));
  const frames = [{ type: 'caught_up' }, { type: 'heartbeat', server_time: NOW }, { type: 'later', x: 1 }];
  expect(kinds(book, ...(frames as ServerFrame[]))).toEqual([]);
});

test('a stranger’s frame is a fault and does not grow the book', () => {
  const book = new CursorBook();
  expect(kinds(book, message(A, 1), gap(1, 2))).toEqual(['fault', 'fault']);
  expect(book.stateOf(A).cursor).toBeUndefined();
  expect(book.snapshot()).toEqual({ conversations: [] });
});
