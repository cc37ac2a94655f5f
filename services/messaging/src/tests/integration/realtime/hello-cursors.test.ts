import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RealtimeWorld } from './support/realtime-world.ts';

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start();
});
afterAll(() => world.end());

const BAD_FRAME = { code: 4500, reason: '' };
const someCursors = (count: number): [string, number][] =>
  Array.from({ length: count }, () => [randomUUID(), 0]);

it('cursors that do not fit hello follow in frames of their own, and ready comes once, behind the last', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  await world.postMany(conversationId, userId, 2);
  const foreign = someCursors(1499);
  const socket = await world.open({ userId });
  socket.send({ type: 'hello', epoch: 1, cursors: foreign.slice(0, 500), more: true });
  socket.send({ type: 'cursors', cursors: [...foreign.slice(500), [conversationId, 1]], more: true });
  await socket.settled();
  expect(socket.frames).toEqual([]);
  socket.send({ type: 'cursors', cursors: [] });
  await socket.frame('caught_up');
  await socket.settled();
  // 1,500 cursors: one below its head, the others of no conversation of this user, at most 256 a frame
  const expected = ['ready', ...Array.from({ length: 6 }, () => 'subscribed'), 'message', 'caught_up'];
  expect(socket.types).toEqual(expected);
  const pieces = socket.frames.flatMap(({ type, conversations }) =>
    type === 'subscribed' ? [conversations as { conversation_id: string }[]] : [],
  );
  expect(pieces.map(({ length }) => length)).toEqual([256, 256, 256, 256, 256, 220]);
  const answers = new Map(pieces.flat().map((item) => [item.conversation_id, item]));
  expect(answers.get(conversationId)).toEqual({
    conversation_id: conversationId,
    status: 'ok',
    after: 1,
    head: 2,
    min: 1,
  });
  const refused = foreign.map(([id]) => ({
    conversation_id: id,
    status: 'error',
    code: 'conversation_not_found',
  }));
  expect(foreign.map(([id]) => answers.get(id))).toEqual(refused);
});

it('hello and its cursors in one breath lead to one ready', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  await world.post(conversationId, userId);
  // The upgrade's token is verified by the time that hello comes, so nothing keeps the two frames apart.
  const socket = await world.open({ userId });
  socket.send({ type: 'hello', epoch: 1, more: true });
  socket.send({ type: 'cursors', cursors: [[conversationId, 0]] });
  await socket.frame('caught_up');
  await world.pod.reads.idle();
  await socket.settled();
  expect(socket.types).toEqual(['ready', 'subscribed', 'message', 'caught_up']);
});

it('the last cursors have 10 s from hello on', async () => {
  const socket = await world.open({ userId: world.user() });
  socket.send({ type: 'hello', epoch: 1, more: true });
  await socket.settled();
  await world.pod.clock.leap(9500);
  socket.send({ type: 'cursors', cursors: someCursors(1), more: true });
  await socket.settled();
  await world.pod.clock.leap(500);
  expect(await socket.closed).toEqual({ code: 4408, reason: '' });
  expect(socket.frames).toEqual([]);
});

it('cursors within their 10 s are in time', async () => {
  const socket = await world.open({ userId: world.user() });
  socket.send({ type: 'hello', epoch: 1, more: true });
  await socket.settled();
  await world.pod.clock.leap(9500);
  socket.send({ type: 'cursors', cursors: [] });
  await socket.frame('caught_up');
  await world.pod.clock.leap(2000);
  await socket.settled();
  expect(socket.isOpen).toBe(true);
});

it('cursors after ready close with 4500', async () => {
  const socket = await world.openReady(world.user());
  socket.send({ type: 'cursors', cursors: [] });
  expect(await socket.closed).toEqual(BAD_FRAME);
});

it.each([
  { type: 'ping', id: 1 },
  { type: 'ack', delivered: 0 },
  { type: 'hello' },
  { type: 'unheard_of' },
  { type: 'cursors', cursors: [], newer: 1 },
])('%j between hello and the last cursors closes with 4500', async (frame) => {
  const socket = await world.open({ userId: world.user() });
  socket.send({ type: 'hello', epoch: 1, more: true });
  await socket.settled();
  socket.send(frame);
  expect(await socket.closed).toEqual(BAD_FRAME);
  expect(socket.frames).toEqual([]);
});

const twice = randomUUID();
it.each([
  [
    'in one frame',
    [
      {
        type: 'hello',
        epoch: 1,
        cursors: [
          [twice, 1],
          [twice, 2],
        ],
      },
    ],
  ],
  [
    'in hello and in cursors',
    [
      { type: 'hello', epoch: 1, cursors: [[twice, 1]], more: true },
      { type: 'cursors', cursors: [[twice, 1]] },
    ],
  ],
  [
    'in two cursors frames',
    [
      { type: 'hello', epoch: 1, more: true },
      { type: 'cursors', cursors: [[twice, 1]], more: true },
      { type: 'cursors', cursors: [[twice, 1]] },
    ],
  ],
])('a conversation twice %s closes with 4500', async (_where, frames) => {
  const socket = await world.open({ userId: world.user() });
  for (const frame of frames) socket.send(frame);
  expect(await socket.closed).toEqual(BAD_FRAME);
  expect(socket.frames).toEqual([]);
});

it.each([
  ['501 cursors', { epoch: 1, cursors: someCursors(501) }],
  ['cursors without their epoch', { cursors: someCursors(1) }],
  ['more without an epoch', { more: true }],
  ['cursors with subscribe "none"', { epoch: 1, cursors: someCursors(1), subscribe: 'none' }],
  ['more with subscribe "none"', { epoch: 1, more: true, subscribe: 'none' }],
  ['a negative cursor', { epoch: 1, cursors: [[randomUUID(), -1]] }],
  ['a cursor that is no number', { epoch: 1, cursors: [[randomUUID(), '1']] }],
  ['a fractional cursor', { epoch: 1, cursors: [[randomUUID(), 1.5]] }],
  ['a cursor above 2^53 − 1', { epoch: 1, cursors: [[randomUUID(), 2 ** 53]] }],
  ['a cursor of an upper-case id', { epoch: 1, cursors: [[randomUUID().toUpperCase(), 1]] }],
  ['a cursor of three parts', { epoch: 1, cursors: [[randomUUID(), 1, 1]] }],
  ['cursors that are no list', { epoch: 1, cursors: { [randomUUID()]: 1 } }],
])('hello with %s closes with 4500', async (_what, hello) => {
  const socket = await world.open({ userId: world.user() });
  socket.send({ type: 'hello', ...hello });
  expect(await socket.closed).toEqual(BAD_FRAME);
  expect(socket.frames).toEqual([]);
});

it('500 cursors in hello and 1,000 in a cursors frame are taken, 1,001 are not', async () => {
  const full = await world.open({ userId: world.user() });
  full.send({ type: 'hello', epoch: 1, cursors: someCursors(500), more: true });
  full.send({ type: 'cursors', cursors: someCursors(1000) });
  await full.frame('caught_up');

  const over = await world.open({ userId: world.user() });
  over.send({ type: 'hello', epoch: 1, more: true });
  over.send({ type: 'cursors', cursors: someCursors(1001) });
  expect(await over.closed).toEqual(BAD_FRAME);
  expect(over.frames).toEqual([]);
});
