import { afterAll, beforeAll, expect, it } from 'vitest';
import { RealtimeWorld, type PodAtHand } from './support/realtime-world.ts';

/** Versions of all local users are compared this often. */
const COMPARISON_MS = 5000;

/*
 * Readers are on one pod; memberships change through another, whose hints on the users' channels are all lost.
 */
let world: RealtimeWorld;
let deaf: PodAtHand;
beforeAll(async () => {
  world = await RealtimeWorld.start();
  deaf = await world.startPod();
  deaf.loses = ({ channel }) => channel.startsWith('u:');
});
afterAll(() => world.end());

it('a member that was added is found by the comparison of versions, and begins where it joined', async () => {
  const [ann, ben] = [world.user('ann'), world.user('ben')];
  const conversationId = await world.conversation(ann);
  await world.postMany(conversationId, ann, 2);
  const client = await world.connectCaughtUp(ben);
  await world.addMember(conversationId, ann, ben, deaf);
  await world.postMany(conversationId, ann, 2);
  await world.settled(client);
  expect(client.received.members).toEqual([]);
  await world.leapUntil(client, () => client.received.members.length === 1, COMPARISON_MS);
  await client.untilMessages(conversationId, 2);
  expect(client.received.members[0]).toMatchObject({ change: 'added', seq: 3, head: 2 });
  expect(client.received.seqs(conversationId)).toEqual([3, 4]);
  expect(client.received.gaps).toEqual([]);
});

it('a member that was removed is found by the comparison of versions', async () => {
  const [ann, ben] = [world.user('ann'), world.user('ben')];
  const conversationId = await world.conversation(ann, ben);
  const client = await world.connectCaughtUp(ben);
  await world.removeMember(conversationId, ann, ben, deaf);
  await world.leapUntil(client, () => client.received.members.length === 1, COMPARISON_MS);
  expect(client.received.members[0]).toMatchObject({ change: 'removed', seq: 0, head: 0 });
});

it('a message posted straight after a removal reaches the others and not the removed', async () => {
  const [ann, ben, carl] = [world.user('ann'), world.user('ben'), world.user('carl')];
  const conversationId = await world.conversation(ann, ben, carl);
  const removed = await world.connectCaughtUp(ben);
  const present = await world.connectCaughtUp(carl);
  await world.post(conversationId, ann);
  await Promise.all([removed, present].map((client) => client.untilMessages(conversationId, 1)));
  await world.removeMember(conversationId, ann, ben, deaf);
  await world.postMany(conversationId, ann, 3);
  await present.untilMessages(conversationId, 4);
  await removed.until(() => removed.received.members.length === 1);
  await world.settled(removed);
  expect(removed.received.seqs(conversationId)).toEqual([1]);
  expect(removed.received.members[0]).toMatchObject({ change: 'removed', seq: 1, head: 1 });
});

it('the same for one that catches up from pages of the log', async () => {
  const [ann, ben] = [world.user('ann'), world.user('ben')];
  const conversationId = await world.conversation(ann, ben);
  await world.insertRows(conversationId, 300);
  const client = await world.connect(ben, { withoutCursor: 'start', credit: 10, autoAck: false });
  await client.untilMessages(conversationId, 10);
  await world.removeMember(conversationId, ann, ben, deaf);
  await world.insertRows(conversationId, 10);
  let acknowledged = 0;
  await client.until(() => {
    if (client.received.messages.length > acknowledged)
      client.ack((acknowledged = client.received.messages.length));
    return client.received.members.length === 1;
  });
  await world.settled(client);
  expect(client.received.messages.every(({ seq }) => seq <= 300)).toBe(true);
  expect(client.received.members[0]).toMatchObject({ change: 'removed', seq: 300, head: 300 });
});

it('removed and added again at once: what lies between never comes', async () => {
  const [ann, ben] = [world.user('ann'), world.user('ben')];
  const conversationId = await world.conversation(ann, ben);
  const client = await world.connectCaughtUp(ben);
  await world.post(conversationId, ann);
  await client.untilMessages(conversationId, 1);
  // Nothing of the time between may come by the bus before the pod knows.
  await world.removeMember(conversationId, ann, ben, deaf);
  await world.postMany(conversationId, ann, 2);
  await world.addMember(conversationId, ann, ben, deaf);
  await world.post(conversationId, ann);
  await client.untilMessages(conversationId, 2);
  expect(client.received.seqs(conversationId)).toEqual([1, 4]);
  expect(client.received.members.at(-1)).toMatchObject({
    change: 'added',
    seq: 4,
    head: 3,
    members_version: 3,
  });
});

it('one that comes and goes, while others talk, never gets what was said without them', async () => {
  const [ann, ben] = [world.user('ann'), world.user('ben')];
  const conversationId = await world.conversation(ann, ben);
  const clients = await Promise.all(
    [{ on: world.pod }, { on: deaf, credit: 2 }, { on: world.pod, credit: 1 }, { on: deaf }].map((options) =>
      world.connectCaughtUp(ben, options),
    ),
  );
  const without: number[] = [];
  for (let round = 0; round < 20; round++) {
    const through = round % 3 === 0 ? world.pod : deaf;
    await world.post(conversationId, ann, { on: through });
    await world.removeMember(conversationId, ann, ben, through);
    for (let n = 0; n < round % 3; n++) without.push((await world.post(conversationId, ann)).seq);
    await world.addMember(conversationId, ann, ben, through);
  }
  const last = await world.postMany(conversationId, ann, 3);
  for (const client of clients) {
    await client.until(() => client.cursorOf(conversationId) === last.at(-1)!.seq);
    const seqs = client.received.messagesOf(conversationId).map(({ seq }) => seq);
    expect(seqs.filter((seq) => without.includes(seq))).toEqual([]);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    expect(seqs.slice(-3)).toEqual(last.map(({ seq }) => seq));
  }
});
