import { afterAll, beforeAll, expect, it } from 'vitest';
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

it('the time from commit to ack is measured', async () => {
  const before = (await world.metric('messaging_end_to_end_seconds_count')) ?? 0;
  const { client, conversationId, userId } = await clientWith(0);
  // Of what the bus brings; a message that a check of heads found first is none of its.
  for (let n = 1; n <= 5; n++) {
    await world.post(conversationId, userId);
    await client.untilMessages(conversationId, n);
    client.ack();
    await client.ping();
  }
  expect(await world.metric('messaging_end_to_end_seconds_count')).toBeGreaterThan(before);
});
