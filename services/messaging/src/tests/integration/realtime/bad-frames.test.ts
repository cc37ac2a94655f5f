import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RealtimeWorld } from './support/realtime-world.ts';

const FRAME_MAX_BYTES = 65_536;
const BAD_FRAME = { code: 4500, reason: '' };

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start();
});
afterAll(() => world.end());

describe('a frame that is none closes the connection', () => {
  it('binary: 4500', async () => {
    const socket = await world.openReady(world.user());
    socket.sendBinary(Buffer.from('{"type":"ping","id":1}'));
    expect(await socket.closed).toEqual(BAD_FRAME);
  });

  it.each([
    '',
    'hello',
    '{',
    '{"type":"ping","id":1}}',
    'null',
    '7',
    '"ping"',
    '[]',
    '[{"type":"ping","id":1}]',
    '{}',
  ])('%j: 4500', async (text) => {
    const socket = await world.openReady(world.user());
    socket.sendText(text);
    expect(await socket.closed).toEqual(BAD_FRAME);
    expect(socket.types).toEqual(['ready', 'caught_up']);
  });

  it.each([{ type: 1 }, { type: null }, { type: ['ping'] }, { id: 1 }])('%j: 4500', async (frame) => {
    const socket = await world.openReady(world.user());
    socket.send(frame);
    expect(await socket.closed).toEqual(BAD_FRAME);
  });

  it('text that is not UTF-8: 1007', async () => {
    const socket = await world.openReady(world.user());
    socket.sendText(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]));
    expect((await socket.closed).code).toBe(1007);
  });

  it('65,537 bytes: 1009', async () => {
    const socket = await world.openReady(world.user());
    socket.sendText('{"type":"ping","id":1}'.padEnd(FRAME_MAX_BYTES + 1));
    expect((await socket.closed).code).toBe(1009);
  });

  it('65,536 bytes are taken', async () => {
    const socket = await world.openReady(world.user());
    socket.sendText('{"type":"ping","id":1}'.padEnd(FRAME_MAX_BYTES));
    expect(await socket.frame('pong')).toMatchObject({ id: 1 });
  });
});

it('closed connections are counted by code', async () => {
  const name = 'transport_connections_closed_total{code="4500"}';
  const before = (await world.metric(name)) ?? 0;
  const socket = await world.openReady(world.user());
  socket.sendText('[]');
  await socket.closed;
  expect(await world.metric(name)).toBe(before + 1);
});

const id = randomUUID();
describe('a known field with a wrong value closes with 4500', () => {
  it.each([
    { type: 'ping' },
    { type: 'ping', id: '' },
    { type: 'ping', id: 'i'.repeat(65) },
    { type: 'ping', id: -1 },
    { type: 'ping', id: 1.5 },
    { type: 'ping', id: null },
    { type: 'auth' },
    { type: 'auth', token: 5 },
    { type: 'subscribe', conversations: [] },
    { type: 'subscribe', id: 1 },
    { type: 'subscribe', id: 1, conversations: {} },
    { type: 'subscribe', id: 1, conversations: [id] },
    { type: 'subscribe', id: 1, conversations: [{}] },
    { type: 'subscribe', id: 1, conversations: [{ conversation_id: id.toUpperCase() }] },
    { type: 'subscribe', id: 1, conversations: [{ conversation_id: `${id} ` }] },
    { type: 'subscribe', id: 1, conversations: [{ conversation_id: id, after: -1 }] },
    { type: 'subscribe', id: 1, conversations: [{ conversation_id: id, after: 1.5 }] },
    { type: 'subscribe', id: 1, conversations: [{ conversation_id: id, after: '1' }] },
    { type: 'subscribe', id: 1, conversations: [{ conversation_id: id, after: 2 ** 53 }] },
    { type: 'subscribe', id: 1, conversations: [{ conversation_id: id, after: 'tail' }] },
    { type: 'subscribe', id: 1, conversations: [{ conversation_id: id }, { conversation_id: id }] },
    { type: 'unsubscribe', id: 1 },
    { type: 'unsubscribe', id: 1, conversations: [{ conversation_id: id }] },
    { type: 'unsubscribe', id: 1, conversations: [id, id] },
    { type: 'ack' },
    { type: 'ack', delivered: -1 },
    { type: 'ack', delivered: 0.5 },
    { type: 'ack', delivered: '0' },
    { type: 'ack', delivered: null },
    { type: 'ack', delivered: 2 ** 53 },
  ])('%j', async (frame) => {
    const socket = await world.openReady(world.user());
    socket.send(frame);
    expect(await socket.closed).toEqual(BAD_FRAME);
    expect(socket.types).toEqual(['ready', 'caught_up']);
  });

  it.each(['subscribe', 'unsubscribe'])('257 conversations in %s', async (type) => {
    const ids = Array.from({ length: 257 }, () => randomUUID());
    const conversations = type === 'subscribe' ? ids.map((one) => ({ conversation_id: one })) : ids;
    const socket = await world.openReady(world.user());
    socket.send({ type, id: 1, conversations });
    expect(await socket.closed).toEqual(BAD_FRAME);
  });
});

it('256 conversations in one subscribe are answered in one frame', async () => {
  const socket = await world.openReady(world.user());
  const ids = Array.from({ length: 256 }, () => randomUUID());
  socket.send({ type: 'subscribe', id: 'many', conversations: ids.map((one) => ({ conversation_id: one })) });
  const conversations = ids.map((one) => ({
    conversation_id: one,
    status: 'error',
    code: 'conversation_not_found',
  }));
  expect(await socket.frame('subscribed')).toEqual({ type: 'subscribed', id: 'many', conversations });
});

describe('what a newer client may say is answered, and the connection lives', () => {
  it.each([
    [
      { type: 'typing', id: 'a', conversation_id: id },
      { type: 'error', id: 'a', code: 'unknown_type' },
    ],
    [
      { type: 'typing', id: 7 },
      { type: 'error', id: 7, code: 'unknown_type' },
    ],
    [{ type: 'typing' }, { type: 'error', code: 'unknown_type' }],
    [
      { type: 'typing', id: { no: 'id' } },
      { type: 'error', code: 'unknown_type' },
    ],
    [{ type: '' }, { type: 'error', code: 'unknown_type' }],
    [{ type: 'ready' }, { type: 'error', code: 'unknown_type' }],
    [
      { type: 'ping', id: 'a', newer: 1 },
      { type: 'error', id: 'a', code: 'unknown_field' },
    ],
    [
      { type: 'auth', token: 'x', newer: 1 },
      { type: 'error', code: 'unknown_field' },
    ],
    [
      { type: 'unsubscribe', id: 'a', conversations: [], newer: 1 },
      { type: 'error', id: 'a', code: 'unknown_field' },
    ],
    // A newer client's frame may hold an unknown field and a value of a newer kind.
    [
      { type: 'subscribe', id: 'a', conversations: 'all', newer: 1 },
      { type: 'error', id: 'a', code: 'unknown_field' },
    ],
  ])('%j', async (frame, answer) => {
    const socket = await world.openReady(world.user());
    socket.send(frame);
    socket.send({ type: 'ping', id: 'barrier' });
    await socket.frame('pong');
    expect(socket.types).toEqual(['ready', 'caught_up', 'error', 'pong']);
    expect(socket.frames[2]).toEqual(answer);
    expect(socket.frames[3]).toMatchObject({ id: 'barrier' });
  });

  it.each([
    ['subscribe', (one: string) => ({ conversations: [{ conversation_id: one }], newer: 1 })],
    ['an item of subscribe', (one: string) => ({ conversations: [{ conversation_id: one, newer: 1 }] })],
  ])('a subscribe with an unknown field in %s is not acted on', async (_where, rest) => {
    const userId = world.user();
    const conversationId = await world.conversation(userId);
    const witness = await world.connectCaughtUp(userId);
    const client = await world.connectCaughtUp(userId, { subscribe: 'none' });
    client.send({ type: 'subscribe', id: 'a', ...rest(conversationId) } as never);
    await client.until(() => client.received.errors.length === 1);
    expect(client.received.errors).toEqual([{ type: 'error', id: 'a', code: 'unknown_field' }]);
    await world.post(conversationId, userId);
    await witness.untilMessages(conversationId, 1);
    await world.settled(client);
    expect(client.received.subscribed).toEqual([]);
    expect(client.received.messages).toEqual([]);
  });

  it('they are counted by code', async () => {
    const name = 'transport_errors_total{code="unknown_type"}';
    const before = (await world.metric(name)) ?? 0;
    const socket = await world.openReady(world.user());
    socket.send({ type: 'typing' });
    await socket.frame('error');
    expect(await world.metric(name)).toBe(before + 1);
  });
});
