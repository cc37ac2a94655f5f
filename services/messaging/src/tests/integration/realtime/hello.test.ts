import { afterAll, beforeAll, expect, it } from 'vitest';
import { mintToken } from '../../support/tokens.ts';
import { RealtimeWorld } from './support/realtime-world.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start();
});
afterAll(() => world.end());

it('ready says who is connected, until when, and within which bounds', async () => {
  const userId = world.user();
  const exp = Math.floor(Date.now() / 1000) + 600;
  const client = await world.connectCaughtUp(userId, { claims: { exp } });
  expect(client.received.ready).toEqual({
    type: 'ready',
    connection_id: expect.stringMatching(UUID) as string,
    user_id: userId,
    epoch: 1,
    features: [],
    heartbeat_ms: 30_000,
    credit: 256,
    max_frame_bytes: 65_536,
    payload_max_bytes: 65_536,
    expires_at: new Date(exp * 1000).toISOString(),
    server_time: expect.stringMatching(TIME) as string,
  });
});

it('caught_up follows ready at once where nothing was asked for', async () => {
  const client = await world.connectCaughtUp(world.user());
  expect(client.received.frames.map(({ type }) => type)).toEqual(['ready', 'caught_up']);
});

it('the token may come in hello instead of the upgrade', async () => {
  const userId = world.user();
  const client = await world.connect(userId, { tokenIn: 'hello' });
  expect(client.received.ready?.user_id).toBe(userId);
});

it('no hello within 5 s closes with 4408', async () => {
  const socket = await world.open({ userId: world.user() });
  await world.pod.clock.leap(4800);
  await socket.settled();
  await world.pod.clock.leap(200);
  expect(await socket.closed).toEqual({ code: 4408, reason: '' });
  expect(socket.frames).toEqual([]);
});

it('a connection that said hello in time lives on', async () => {
  const socket = await world.openReady(world.user());
  await world.pod.clock.leap(11_000);
  await socket.settled();
  expect(socket.isOpen).toBe(true);
});

it.each([
  { type: 'ping', id: 1 },
  { type: 'ack', delivered: 0 },
  { type: 'subscribe', id: 1, conversations: [] },
  { type: 'unsubscribe', id: 1, conversations: [] },
  { type: 'cursors', cursors: [] },
  { type: 'auth', token: 'x' },
  { type: 'unheard_of' },
])('$type before hello closes with 4500', async (frame) => {
  const socket = await world.open({ userId: world.user() });
  socket.send(frame);
  expect(await socket.closed).toEqual({ code: 4500, reason: '' });
  expect(socket.frames).toEqual([]);
});

it.each([
  { type: 'ping', id: 1 },
  { type: 'ack', delivered: 0 },
  { type: 'cursors', cursors: [] },
  { type: 'hello' },
])('$type between hello and ready closes with 4500', async (frame) => {
  const release = world.pod.reads.hold('readUsers');
  try {
    const socket = await world.open({ userId: world.user() });
    socket.send({ type: 'hello' });
    await socket.settled();
    socket.send(frame);
    expect(await socket.closed).toEqual({ code: 4500, reason: '' });
    expect(socket.frames).toEqual([]);
  } finally {
    release();
  }
});

it('a second hello closes with 4500', async () => {
  const socket = await world.openReady(world.user());
  socket.send({ type: 'hello' });
  expect(await socket.closed).toEqual({ code: 4500, reason: '' });
});

it('device_id, features and fields of a newer protocol are taken', async () => {
  const features = Array.from({ length: 32 }, (_, n) => `feature-${n}`);
  const hello = { device_id: 'd'.repeat(255), features, compression: { window: 15 }, mls: true };
  const socket = await world.openReady(world.user(), hello);
  expect((await socket.frame('ready'))['features']).toEqual([]);
});

it.each([1, 1024])('credit %i is granted as asked', async (credit) => {
  const client = await world.connect(world.user(), { credit });
  expect(client.received.ready?.credit).toBe(credit);
});

it.each([
  { credit: 0 },
  { credit: 1025 },
  { credit: 1.5 },
  { credit: '256' },
  { credit: null },
  { device_id: '' },
  { device_id: 'd'.repeat(256) },
  { device_id: 'a\u0000b' },
  { device_id: 7 },
  { features: Array.from({ length: 33 }, (_, n) => `feature-${n}`) },
  { features: ['f'.repeat(65)] },
  { features: 'typing' },
  { subscribe: 'some' },
  { without_cursor: 'tail' },
  { without_cursor: 0 },
  { epoch: -1 },
  { more: 'yes', epoch: 1 },
  { token: 5 },
])('hello with %j closes with 4500', async (wrong) => {
  const socket = await world.open({ userId: world.user() });
  socket.send({ type: 'hello', ...wrong });
  expect(await socket.closed).toEqual({ code: 4500, reason: '' });
  expect(socket.frames).toEqual([]);
});

it('subscribe "none" begins with nothing, whatever the user is in', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  await world.post(conversationId, userId);
  const client = await world.connectCaughtUp(userId, { subscribe: 'none' });
  const witness = await world.connectCaughtUp(userId);
  await world.post(conversationId, userId);
  await witness.untilMessages(conversationId, 1);
  await client.ping();
  expect(client.received.frames.map(({ type }) => type)).toEqual(['ready', 'caught_up', 'pong']);
});

it('nobody gets ready while the log is away, and the client is told to come later', async () => {
  const release = world.pod.reads.hold('readUsers');
  try {
    const socket = await world.open({ token: await mintToken({ sub: world.user() }) });
    socket.send({ type: 'hello' });
    await socket.settled();
    await world.pod.clock.leap(10_000);
    const { code, reason } = await socket.closed;
    expect(code).toBe(1013);
    expect(JSON.parse(reason)).toEqual({ retry_after_ms: expect.any(Number) as number });
  } finally {
    release();
  }
});
