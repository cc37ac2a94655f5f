import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestClient } from '../../support/test-client.ts';
import { RealtimeWorld } from './support/realtime-world.ts';

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start();
});
afterAll(() => world.end());

const typesAndSeqs = (client: TestClient, conversationId: string) =>
  client.received.frames.flatMap((frame) => {
    if (!('conversation_id' in frame) || frame.conversation_id !== conversationId) return [];
    if (frame.type === 'member') return [`${frame.change} ${frame.seq}`];
    return [frame.type === 'message' ? `message ${frame.seq}` : frame.type];
  });

async function twoUsers(): Promise<{ ann: string; ben: string; conversationId: string }> {
  const [ann, ben] = [world.user('ann'), world.user('ben')];
  return { ann, ben, conversationId: await world.conversation(ann, ben) };
}

describe('added while connected', () => {
  it('hears of it before any message, and gets what was committed afterwards', async () => {
    const [ann, ben] = [world.user('ann'), world.user('ben')];
    const conversationId = await world.conversation(ann);
    await world.postMany(conversationId, ann, 3);
    const clients = [await world.connectCaughtUp(ben), await world.connectCaughtUp(ben)];
    expect(await world.addMember(conversationId, ann, ben)).toBe(4);
    await world.postMany(conversationId, ann, 2);
    for (const client of clients) {
      await client.untilMessages(conversationId, 2);
      expect(client.received.members).toEqual([
        {
          type: 'member',
          conversation_id: conversationId,
          change: 'added',
          user_id: ben,
          seq: 4,
          head: 3,
          members_version: 2,
        },
      ]);
      expect(typesAndSeqs(client, conversationId)).toEqual(['added 4', 'message 4', 'message 5']);
    }
  });

  it('to a conversation that was just created with them in it', async () => {
    const ben = world.user('ben');
    const client = await world.connectCaughtUp(ben);
    const ann = world.user('ann');
    const conversationId = await world.conversation(ann, ben);
    await world.post(conversationId, ann);
    await client.untilMessages(conversationId, 1);
    expect(typesAndSeqs(client, conversationId)).toEqual(['added 1', 'message 1']);
    expect(client.received.members[0]).toMatchObject({ head: 0, members_version: 1 });
  });

  it('concerns nobody else', async () => {
    const { ann, conversationId } = await twoUsers();
    const client = await world.connectCaughtUp(ann);
    const carl = world.user('carl');
    const own = await world.connectCaughtUp(carl);
    await world.addMember(conversationId, ann, carl);
    await own.until(() => own.received.members.length === 1);
    await world.post(conversationId, carl);
    await client.untilMessages(conversationId, 1);
    expect(client.received.members).toEqual([]);
  });

  it('is nothing to a connection that follows what it chose itself', async () => {
    const ben = world.user('ben');
    const chosen = await world.connectCaughtUp(ben, { subscribe: 'none' });
    const witness = await world.connectCaughtUp(ben);
    const ann = world.user('ann');
    const conversationId = await world.conversation(ann, ben);
    await world.post(conversationId, ann);
    await witness.untilMessages(conversationId, 1);
    await world.settled(chosen);
    expect(chosen.received.frames.map(({ type }) => type)).toEqual(['ready', 'caught_up', 'pong']);
  });
});

describe('left and came back while away', () => {
  it('is told of the time outside as a gap', async () => {
    const { ann, ben, conversationId } = await twoUsers();
    await world.postMany(conversationId, ann, 2);
    const before = await world.connectCaughtUp(ben, { withoutCursor: 'start' });
    await before.close();
    await world.removeMember(conversationId, ann, ben);
    await world.postMany(conversationId, ann, 2);
    await world.addMember(conversationId, ann, ben);
    await world.postMany(conversationId, ann, 2);
    const after = await world.connectCaughtUp(ben, { cursors: before.cursors() });
    expect(after.received.frames.map(({ type }) => type)).toEqual([
      'ready',
      'subscribed',
      'gap',
      'message',
      'message',
      'caught_up',
    ]);
    expect(after.received.subscribed).toEqual([
      { conversation_id: conversationId, status: 'ok', after: 2, head: 6, min: 5 },
    ]);
    expect(after.received.gaps).toEqual([
      { type: 'gap', conversation_id: conversationId, from: 3, to: 4, reason: 'not_member' },
    ]);
    expect(after.received.seqs(conversationId)).toEqual([5, 6]);
    expect(after.received.members).toEqual([]);
  });

  it('is told so also where nothing was posted since', async () => {
    const { ann, ben, conversationId } = await twoUsers();
    await world.removeMember(conversationId, ann, ben);
    await world.postMany(conversationId, ann, 3);
    await world.addMember(conversationId, ann, ben);
    const cursors = { epoch: 1, conversations: [{ conversationId, cursor: 0 }] };
    const client = await world.connectCaughtUp(ben, { cursors });
    expect(client.received.gaps).toEqual([
      { type: 'gap', conversation_id: conversationId, from: 1, to: 3, reason: 'not_member' },
    ]);
    await world.post(conversationId, ann);
    await client.untilMessages(conversationId, 1);
    expect(client.received.seqs(conversationId)).toEqual([4]);
  });
});

it('an operator’s connection is not touched by who is a member', async () => {
  const { ann, ben, conversationId } = await twoUsers();
  const operator = await world.connectCaughtUp(world.user('operator'), {
    claims: { scope: 'messaging:operate' },
  });
  await operator.subscribe([{ conversation_id: conversationId }]);
  await world.removeMember(conversationId, ann, ben);
  await world.post(conversationId, ann);
  await operator.untilMessages(conversationId, 1);
  await world.pod.clock.leap(6000);
  await world.settled(operator);
  await world.post(conversationId, ann);
  await operator.untilMessages(conversationId, 2);
  expect(operator.received.members).toEqual([]);
});
