import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { TestClient } from '../../support/test-client.ts';
import { RealtimeWorld } from './support/realtime-world.ts';

const BAD_FRAME = { code: 4500, reason: '', retryAfterMs: undefined };
const MINUTE_MS = 60_000;

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start();
});
afterAll(() => world.end());

/** A client that has `count` messages and acknowledges by hand. */
async function clientWith(
  count: number,
  credit?: number,
): Promise<{ client: TestClient; conversationId: string; userId: string }> {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  const client = await world.connectCaughtUp(userId, {
    autoAck: false,
    ...(credit !== undefined && { credit }),
  });
  await world.postMany(conversationId, userId, count);
  await client.untilMessages(conversationId, Math.min(count, credit ?? count));
  return { client, conversationId, userId };
}

it('an ack of more than was sent closes with 4500', async () => {
  const { client } = await clientWith(2);
  client.ack(3);
  expect(await client.untilClosed()).toEqual(BAD_FRAME);
});

it('an ack of more than was sent closes with 4500 before anything was sent, too', async () => {
  const client = await world.connectCaughtUp(world.user());
  client.ack(1);
  expect(await client.untilClosed()).toEqual(BAD_FRAME);
});

it('an ack that falls closes with 4500', async () => {
  const { client } = await clientWith(2);
  client.ack(2);
  client.ack(1);
  expect(await client.untilClosed()).toEqual(BAD_FRAME);
});

it('an ack that says the same again is no fault', async () => {
  const { client } = await clientWith(2);
  client.ack(2);
  client.ack(2);
  await client.ping();
  expect(client.isOpen).toBe(true);
});

it('ready, subscribed, caught_up, pongs and errors are not counted', async () => {
  const { client } = await clientWith(1);
  await client.ping();
  client.send({ type: 'typing' } as never);
  await client.until(() => client.received.errors.length === 1);
  client.ack(1);
  await client.ping();
  client.ack(2);
  expect(await client.untilClosed()).toEqual(BAD_FRAME);
});

it('an ack with fields of a newer protocol counts', async () => {
  const { client, conversationId } = await clientWith(3, 2);
  client.send({ type: 'ack', delivered: 2, newer: { read: true } } as never);
  await client.untilMessages(conversationId, 3);
});

it('credit that is used up and not acknowledged for 60 s closes with 4412', async () => {
  const { client } = await clientWith(2, 1);
  await world.pod.clock.leap(MINUTE_MS - 2000);
  await client.ping();
  expect(client.isOpen).toBe(true);
  await world.pod.clock.leap(4000);
  expect((await client.untilClosed()).code).toBe(4412);
});

it('credit that is left needs no ack', async () => {
  const { client } = await clientWith(2, 3);
  await world.pod.clock.leap(MINUTE_MS);
  await client.ping();
  await world.pod.clock.leap(10_000);
  await client.ping();
  expect(client.isOpen).toBe(true);
});

describe('the time from commit to ack', () => {
  const timed = async () => (await world.metric('messaging_end_to_end_seconds_count')) ?? 0;

  it('is measured of what the bus brings', async () => {
    const { client, conversationId, userId } = await clientWith(0);
    for (let n = 1; n <= 5; n++) {
      const before = await timed();
      await world.post(conversationId, userId);
      await client.untilMessages(conversationId, n);
      client.ack();
      await client.ping();
      expect(await timed()).toBe(before + 1);
    }
  });

  it('is measured of what the slow path brings, too', async () => {
    const { client, conversationId, userId } = await clientWith(0);
    const before = await timed();
    world.pod.loses = ({ channel }) => channel === `c:${conversationId}`;
    onTestFinished(() => {
      world.pod.loses = () => false;
    });
    await world.post(conversationId, userId);
    await world.leapUntil(client, () => client.received.messages.length === 1, MINUTE_MS);
    client.ack();
    await client.ping();
    expect(await timed()).toBe(before + 1);
  });

  it('is not of what was committed while the client was away, wherever it comes from', async () => {
    // This one's conversation stays in the pod's memory.
    const { client, conversationId, userId } = await clientWith(3);
    const cursors = { epoch: 1, conversations: [{ conversationId, cursor: 0 }] };
    const before = await timed();
    const back = await world.connectCaughtUp(userId, { cursors, autoAck: false });
    expect(back.received.seqs(conversationId)).toEqual([1, 2, 3]);
    back.ack();
    await back.ping();
    const asked = await world.connect(userId, { subscribe: 'none', autoAck: false });
    await asked.subscribe([{ conversation_id: conversationId, after: 'start' }]);
    await asked.untilMessages(conversationId, 3);
    asked.ack();
    await asked.ping();
    expect(await timed()).toBe(before);
    await world.post(conversationId, userId);
    for (const each of [client, back, asked]) {
      await each.untilMessages(conversationId, 4);
      each.ack();
      await each.ping();
    }
    // One frame at a time of each connection: the first still waited for the ack of an earlier one.
    expect(await timed()).toBe(before + 3);
  });
});
