import { afterAll, beforeAll, expect, it } from 'vitest';
import { RealtimeWorld } from './support/realtime-world.ts';

/** Conversations that were active lately are compared with the log within this, … */
const RECENT_CHECK_MS = 2000;
/** … and all of them within this. */
const ROUND_MS = 30_000;

/* Redis has been away since before the pod started: nobody listens on port 1. */
let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start({ redisUrl: 'redis://127.0.0.1:1/0' });
});
afterAll(() => world.end());

it('clients connect, catch up, and get what is posted', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  await world.postMany(conversationId, userId, 3);
  const client = await world.connectCaughtUp(userId, { withoutCursor: 'start' });
  expect(client.received.seqs(conversationId)).toEqual([1, 2, 3]);
  await world.post(conversationId, userId);
  await world.leapUntil(client, () => client.received.seqs(conversationId).length === 4, ROUND_MS);
  await world.postMany(conversationId, userId, 2);
  await world.leapUntil(client, () => client.received.seqs(conversationId).length === 6, RECENT_CHECK_MS);
  expect(client.received.seqs(conversationId)).toEqual([1, 2, 3, 4, 5, 6]);
});

it('members that are added, and removed, hear of it', async () => {
  const [ann, ben] = [world.user('ann'), world.user('ben')];
  const conversationId = await world.conversation(ann);
  const client = await world.connectCaughtUp(ben);
  await world.addMember(conversationId, ann, ben);
  await client.until(() => client.received.members.length === 1);
  await world.post(conversationId, ann);
  await world.leapUntil(client, () => client.received.seqs(conversationId).length === 1, ROUND_MS);
  await world.removeMember(conversationId, ann, ben);
  await client.until(() => client.received.members.length === 2);
  await world.post(conversationId, ann);
  await world.pod.clock.leap(RECENT_CHECK_MS);
  await world.settled(client);
  expect(client.received.seqs(conversationId)).toEqual([1]);
});

it('what a client’s own look at the log has found does not wait for the next check', async () => {
  const [ann, ben] = [world.user('ann'), world.user('ben')];
  const conversationId = await world.conversation(ann, ben);
  const first = await world.connectCaughtUp(ann);
  await world.settled(first);
  const checks = world.pod.reads.hold('readHeads');
  try {
    await world.postMany(conversationId, ann, 3);
    const second = await world.connect(ben, { withoutCursor: 'start' });
    await world.pod.clock.leap(500);
    await second.until(() => second.received.caughtUpCount === 1);
    expect(second.received.seqs(conversationId)).toEqual([1, 2, 3]);
    await first.untilMessages(conversationId, 3);
  } finally {
    checks();
  }
});

it('nor what a subscribe has found', async () => {
  const [ann, ben] = [world.user('ann'), world.user('ben')];
  const conversationId = await world.conversation(ann, ben);
  await world.settled(await world.connectCaughtUp(ann));
  const client = await world.connectCaughtUp(ben, { subscribe: 'none' });
  await world.postMany(conversationId, ann, 2);
  const answer = await client.subscribe([{ conversation_id: conversationId, after: 'start' }]);
  expect(answer).toMatchObject({ conversations: [{ after: 0, head: 2 }] });
  await world.leapUntil(client, () => client.received.seqs(conversationId).length === 2, 500);
});
