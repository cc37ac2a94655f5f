import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestClient } from '../../support/test-client.ts';
import { RealtimeWorld } from './support/realtime-world.ts';

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start();
});
afterAll(() => world.end());

interface Blocked {
  readonly owner: string;
  readonly userId: string;
  readonly conversationId: string;
  readonly client: TestClient;
}

/** A client whose credit of one is used up by the first message of a conversation. */
async function blocked(): Promise<Blocked> {
  const [owner, userId] = [world.user('owner'), world.user()];
  const conversationId = await world.conversation(owner, userId);
  const client = await world.connectCaughtUp(userId, { credit: 1, autoAck: false });
  await world.post(conversationId, owner);
  await client.untilMessages(conversationId, 1);
  return { owner, userId, conversationId, client };
}

/** What has come since `count` frames, the answer to a ping aside. */
async function since(client: TestClient, count: number): Promise<string[]> {
  await world.settled(client);
  return client.received.frames.slice(count).flatMap(({ type }) => (type === 'pong' ? [] : [type]));
}

it('credit 1 lets one frame through for each ack', async () => {
  const { owner, conversationId, client } = await blocked();
  await world.postMany(conversationId, owner, 2);
  const witness = await world.connectCaughtUp(owner, { withoutCursor: 'start' });
  await witness.untilMessages(conversationId, 3);
  for (const seqs of [[1], [1, 2], [1, 2, 3]]) {
    await client.untilMessages(conversationId, seqs.length);
    await world.settled(client);
    expect(client.received.seqs(conversationId)).toEqual(seqs);
    client.ack();
  }
});

it('an ack of a part gives back a part', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  await world.insertRows(conversationId, 20);
  const client = await world.connect(userId, { withoutCursor: 'start', credit: 6, autoAck: false });
  await client.untilMessages(conversationId, 6);
  client.ack(4);
  await client.untilMessages(conversationId, 10);
  await world.settled(client);
  expect(client.received.messages).toHaveLength(10);
});

describe('without credit', () => {
  it('no message, no gap, no member and no reset is sent', async () => {
    const { owner, userId, conversationId, client } = await blocked();
    const had = client.received.frames.length;
    await world.post(conversationId, owner);
    await world.insertRowAs(conversationId, `status = 'dead'`);
    const other = await world.conversation(owner, userId);
    await world.post(other, owner);
    await world.pod.clock.leap(6000);
    expect(await since(client, had)).toEqual([]);
    client.ack();
    // News of memberships first: messages of the new conversation must not overtake them.
    await client.until(() => client.received.members.length === 1);
    expect(await since(client, had)).toEqual(['member']);
  });

  it('heartbeats, pongs, answers and errors are sent', async () => {
    const { conversationId, client } = await blocked();
    const had = client.received.frames.length;
    await world.pod.clock.leap(31_000);
    await client.until(() => client.received.heartbeatCount === 1);
    client.send({ type: 'typing' } as never);
    await client.until(() => client.received.errors.length === 1);
    await client.subscribe([{ conversation_id: conversationId }]);
    await client.unsubscribe([conversationId]);
    expect(await since(client, had)).toEqual(['heartbeat', 'error', 'subscribed', 'unsubscribed']);
  });

  it('goaway is sent', async () => {
    const leaving = await world.startPod();
    const userId = world.user();
    const conversationId = await world.conversation(userId);
    await world.post(conversationId, userId);
    const client = await world.connect(userId, {
      on: leaving,
      withoutCursor: 'start',
      credit: 1,
      autoAck: false,
    });
    await client.untilMessages(conversationId, 1);
    const stopped = leaving.stop();
    await client.until(() => client.received.goaway !== undefined);
    await client.close();
    await stopped;
  });

  it('others are served as ever', async () => {
    const { owner, conversationId, client } = await blocked();
    const other = await world.connectCaughtUp(owner, { withoutCursor: 'start' });
    await world.postMany(conversationId, owner, 30);
    await other.untilMessages(conversationId, 31);
    await world.settled(client);
    expect(client.received.seqs(conversationId)).toEqual([1]);
  });

  it('what was held back comes in order, more of it than a ring holds', async () => {
    const { owner, conversationId, client } = await blocked();
    await world.insertRows(conversationId, 400);
    const witness = await world.connectCaughtUp(owner, { withoutCursor: 'start' });
    await witness.untilMessages(conversationId, 401);
    expect(client.received.seqs(conversationId)).toEqual([1]);
    for (let seq = 1; seq <= 401; seq++) {
      await client.untilMessages(conversationId, seq);
      client.ack();
    }
    expect(client.received.seqs(conversationId)).toEqual(Array.from({ length: 401 }, (_, n) => n + 1));
  });

  it('a connection is counted as a slow consumer, once each time', async () => {
    const before = (await world.metric('transport_slow_consumers_total')) ?? 0;
    const { owner, conversationId, client } = await blocked();
    await world.postMany(conversationId, owner, 3);
    await world.settled(client);
    expect(await world.metric('transport_slow_consumers_total')).toBe(before + 1);
  });
});

describe('conversations take turns', () => {
  const TURN = 32;

  it('a backlog of thousands holds up no other conversation by more than 32 frames', async () => {
    const userId = world.user();
    const hot = await world.conversation(userId);
    const others = [await world.conversation(userId), await world.conversation(userId)];
    await world.insertRows(hot, 2000);
    for (const other of others) await world.insertRows(other, 100);
    const client = await world.connectCaughtUp(userId, { withoutCursor: 'start', credit: 1024 });
    const order = client.received.messages.map(({ conversationId }) => conversationId);
    expect(order).toHaveLength(2200);
    const othersDone = Math.max(...others.map((other) => order.lastIndexOf(other)));
    let run = 0;
    for (const [index, conversationId] of order.entries()) {
      run = conversationId === hot ? run + 1 : 0;
      if (index < othersDone) expect(run).toBeLessThanOrEqual(TURN);
    }
  });

  it('a live message passes a backlog within a turn', async () => {
    const userId = world.user();
    const hot = await world.conversation(userId);
    const quiet = await world.conversation(userId);
    await world.insertRows(hot, 1000);
    const client = await world.connect(userId, { withoutCursor: 'start', credit: 64, autoAck: false });
    const witness = await world.connectCaughtUp(userId);
    await client.untilMessages(hot, 64);
    await world.post(quiet, userId);
    await witness.untilMessages(quiet, 1);
    client.ack();
    await client.untilMessages(quiet, 1);
    await client.untilMessages(hot, 127);
    const order = client.received.messages.map(({ conversationId }) => conversationId);
    expect(order.indexOf(quiet)).toBeGreaterThanOrEqual(64);
    expect(order.indexOf(quiet)).toBeLessThanOrEqual(64 + TURN);
  });
});
