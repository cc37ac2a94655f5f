import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { RawSocket } from './support/raw-socket.ts';
import { RealtimeWorld } from './support/realtime-world.ts';
import { mintToken } from '../../support/tokens.ts';

let world: RealtimeWorld;
let redis: Redis;
beforeAll(async () => {
  world = await RealtimeWorld.start();
  redis = new Redis(world.redisUrl);
});
afterAll(async () => {
  redis.disconnect();
  await world.end();
});

/** More at once than any client has to say. */
const FLOOD = 400;

it.each([
  ['pings', (n: number) => ({ type: 'ping', id: n })],
  [
    'subscribes',
    (n: number) => ({ type: 'subscribe', id: n, conversations: [{ conversation_id: randomUUID() }] }),
  ],
  ['unsubscribes', (n: number) => ({ type: 'unsubscribe', id: n, conversations: [randomUUID()] })],
  ['frames of no known type', () => ({ type: 'typing' })],
  ['acks that say nothing new', () => ({ type: 'ack', delivered: 0 })],
  ['tokens', () => ({ type: 'auth', token: 'garbage' })],
])('a flood of %s closes with 4429, and a hint', async (_what, frame) => {
  const socket = await world.openReady(world.user());
  for (let n = 0; n < FLOOD; n++) socket.send(frame(n));
  const { code, reason } = await socket.closed;
  expect(code).toBe(4429);
  const { retry_after_ms: retryAfterMs } = JSON.parse(reason) as { retry_after_ms: number };
  expect(retryAfterMs).toBeGreaterThan(0);
});

it('a flood of RFC 6455 pings is cut off before its pongs pile up', async () => {
  const socket = await world.openReady(world.user());
  for (let n = 0; n < FLOOD; n++) socket.ping();
  expect((await socket.closed).code).toBe(1006);
});

it('acks that advance are never a flood', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  await world.insertRows(conversationId, FLOOD);
  const client = await world.connect(userId, { withoutCursor: 'start', credit: 1 });
  await client.untilMessages(conversationId, FLOOD);
  expect(client.received.seqs(conversationId)).toEqual(Array.from({ length: FLOOD }, (_, n) => n + 1));
});

it('a client that asks at its own pace is served for as long as it likes', async () => {
  const client = await world.connectCaughtUp(world.user());
  for (let n = 0; n < FLOOD; n++) {
    await client.ping();
    if (n % 50 === 0) await world.pod.clock.leap(1000);
  }
  expect(client.isOpen).toBe(true);
});

/** Channels of users and conversations that the pod listens to, of all users and conversations of this world. */
async function channels(): Promise<string[]> {
  const { rows } = await world.sql.query<{ id: string }>('SELECT id FROM messaging.installation');
  const all = (await redis.pubsub('CHANNELS', `*${rows[0]!.id}*`)) as string[];
  const { rows: own } = await world.sql.query<{ id: string }>(
    'SELECT conversation_id AS id FROM messaging.conversation WHERE owner IS NOT NULL',
  );
  const ids = own.map((row) => row.id);
  return all.filter((channel) => channel.includes(':u:') || ids.some((id) => channel.includes(id)));
}

it('clients that are cut off at any moment leave no subscription behind', async () => {
  const users = Array.from({ length: 20 }, () => world.user());
  await world.conversation(...users);
  await Promise.all(
    users.map(async (userId, n) => {
      const socket = await RawSocket.open(world.pod.wsUrl, { token: await mintToken({ sub: userId }) });
      socket.send({ type: 'hello' });
      if (n % 4 === 1) await socket.settled();
      if (n % 4 === 2) await socket.frame('ready');
      if (n % 4 === 3) await socket.frame('caught_up');
      socket.terminate();
    }),
  );
  await nothingIsLeft();
});

it('after all that nothing is left behind', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  const client = await world.connectCaughtUp(userId);
  await world.post(conversationId, userId);
  await client.untilMessages(conversationId, 1);
  expect(await channels()).toHaveLength(2);
  world.hangUp();
  await nothingIsLeft();
});

async function nothingIsLeft(): Promise<void> {
  world.hangUp();
  await eventually(async () => expect(await world.metric('transport_connections_active')).toBe(0));
  await world.pod.reads.idle();
  // Conversations linger for a minute: readers come back.
  await world.pod.clock.leap(62_000);
  await eventually(async () => expect(await channels()).toEqual([]));
}
