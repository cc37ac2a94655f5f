import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mintToken } from '../../support/tokens.ts';
import { RealtimeWorld } from './support/realtime-world.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const HEARTBEAT_MS = 20_000;
/** Sessions are looked at once a second. */
const SWEEP_MS = 1000;

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start({ env: { WEBSOCKET_HEARTBEAT_INTERVAL_MS: String(HEARTBEAT_MS) } });
});
afterAll(() => world.end());

const inSeconds = (seconds: number): number => Math.floor(world.pod.clock.now() / 1000) + seconds;

describe('auth', () => {
  it('renews the token: the old one’s expiry means nothing any more', async () => {
    const userId = world.user();
    const conversationId = await world.conversation(userId);
    const client = await world.connectCaughtUp(userId, { claims: { exp: inSeconds(15) } });
    const exp = inSeconds(600);
    client.send({ type: 'auth', token: await mintToken({ sub: userId, exp }) });
    await client.until(() => client.received.frames.some(({ type }) => type === 'authenticated'));
    expect(client.received.frames.at(-1)).toEqual({
      type: 'authenticated',
      expires_at: new Date(exp * 1000).toISOString(),
    });
    await world.pod.clock.leap(18_000);
    await client.ping();
    await world.post(conversationId, userId);
    await client.untilMessages(conversationId, 1);
  });

  it.each([
    [
      'of another user',
      (): Promise<string> => mintToken({ sub: 'another', exp: inSeconds(600) }),
      'token_invalid',
    ],
    ['that is garbage', (): string => 'garbage', 'token_invalid'],
    ['that is empty', (): string => '', 'token_invalid'],
    [
      'of another audience',
      (): Promise<string> => mintToken({ sub: 'user', aud: 'another' }),
      'token_invalid',
    ],
    [
      'that has expired',
      (): Promise<string> => mintToken({ sub: 'user', exp: inSeconds(-60) }),
      'token_expired',
    ],
  ] as const)('with a token %s leaves the old one, with its expiry', async (_what, mint, code) => {
    const client = await world.connectCaughtUp(world.user(), { claims: { exp: inSeconds(15) } });
    client.send({ type: 'auth', token: await mint() });
    await client.until(() => client.received.errors.length === 1);
    expect(client.received.errors).toEqual([{ type: 'error', code }]);
    await client.ping();
    await world.pod.clock.leap(16_000);
    expect(await client.untilClosed()).toEqual({ code: 4401, reason: '', retryAfterMs: undefined });
  });

  it('with a token that is no operator’s any more ends what only an operator may follow', async () => {
    const [ann, ben] = [world.user('ann'), world.user('ben')];
    const foreign = await world.conversation(ann);
    const own = await world.conversation(ben);
    const client = await world.connectCaughtUp(ben, { claims: { scope: 'messaging:operate' } });
    await client.subscribe([{ conversation_id: foreign }]);
    client.send({ type: 'auth', token: await mintToken({ sub: ben, exp: inSeconds(600) }) });
    await client.until(() => client.received.frames.some(({ type }) => type === 'unsubscribed'));
    await world.post(foreign, ann);
    await world.post(own, ben);
    await client.untilMessages(own, 1);
    await world.settled(client);
    expect(client.received.messagesOf(foreign)).toEqual([]);
  });

  it('is answered in the order of what was asked', async () => {
    const userId = world.user();
    const conversationId = await world.conversation(userId);
    const socket = await world.openReady(userId, { subscribe: 'none' });
    socket.send({ type: 'subscribe', id: 1, conversations: [{ conversation_id: conversationId }] });
    socket.send({ type: 'auth', token: await mintToken({ sub: userId, exp: inSeconds(600) }) });
    socket.send({ type: 'unsubscribe', id: 2, conversations: [conversationId] });
    await socket.frame('unsubscribed');
    expect(socket.types.slice(2)).toEqual(['subscribed', 'authenticated', 'unsubscribed']);
  });
});

describe('ping', () => {
  it.each(['a', 'i'.repeat(64), 0, 2 ** 53 - 1])(
    '%j comes back in pong, with the server’s time',
    async (id) => {
      const socket = await world.openReady(world.user());
      socket.send({ type: 'ping', id });
      expect(await socket.frame('pong')).toEqual({
        type: 'pong',
        id,
        server_time: expect.stringMatching(TIME) as string,
      });
    },
  );

  it('is answered while a subscribe waits for the log', async () => {
    const userId = world.user();
    const conversationId = await world.conversation(userId);
    const socket = await world.openReady(userId, { subscribe: 'none' });
    const release = world.pod.reads.hold('readMembers');
    socket.send({ type: 'subscribe', id: 1, conversations: [{ conversation_id: conversationId }] });
    socket.send({ type: 'ping', id: 2 });
    await socket.frame('pong');
    expect(socket.types).toEqual(['ready', 'caught_up', 'pong']);
    release();
    await socket.frame('subscribed');
  });
});

describe('heartbeats', () => {
  it('come every heartbeat_ms of ready', async () => {
    const client = await world.connectCaughtUp(world.user());
    expect(client.received.ready?.heartbeat_ms).toBe(HEARTBEAT_MS);
    for (let count = 0; count < 3; count++) {
      await world.pod.clock.leap(HEARTBEAT_MS - 2 * SWEEP_MS);
      await client.ping();
      expect(client.received.heartbeatCount).toBe(count);
      await world.pod.clock.leap(3 * SWEEP_MS);
      await client.until(() => client.received.heartbeatCount === count + 1);
    }
    const heartbeats = client.received.frames.filter(({ type }) => type === 'heartbeat');
    for (const heartbeat of heartbeats) {
      expect(heartbeat).toEqual({ type: 'heartbeat', server_time: expect.stringMatching(TIME) as string });
    }
  });

  it('keep a client alive that says nothing of its own: its socket answers the pings beside them', async () => {
    const socket = await world.openReady(world.user());
    for (let n = 0; n < 6; n++) {
      await world.pod.clock.leap(HEARTBEAT_MS);
      await socket.settled();
    }
    expect(socket.isOpen).toBe(true);
  });

  it('a client of which nothing is heard any more is cut off', async () => {
    const client = await world.connectCaughtUp(world.user());
    const active = (await world.metric('transport_connections_active')) ?? 0;
    client.pauseReading();
    await world.pod.clock.leap(3 * HEARTBEAT_MS);
    expect(await world.metric('transport_connections_active')).toBeLessThan(active);
    client.resumeReading();
    expect((await client.untilClosed()).code).toBe(1006);
  });
});
