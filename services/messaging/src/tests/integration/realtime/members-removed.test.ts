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

describe('removed while connected', () => {
  it('hears of it on every connection, and nothing of the conversation follows', async () => {
    const { ann, ben, conversationId } = await twoUsers();
    await world.postMany(conversationId, ann, 2);
    const clients = [
      await world.connectCaughtUp(ben),
      await world.connectCaughtUp(ben, { subscribe: 'none' }),
    ];
    await clients[1]!.subscribe([{ conversation_id: conversationId }]);
    const witness = await world.connectCaughtUp(ann);
    await world.removeMember(conversationId, ann, ben);
    await world.postMany(conversationId, ann, 2);
    await witness.untilMessages(conversationId, 2);
    for (const client of clients) {
      await client.until(() => client.received.members.length === 1);
      await world.settled(client);
      expect(client.received.members).toEqual([
        {
          type: 'member',
          conversation_id: conversationId,
          change: 'removed',
          user_id: ben,
          seq: 2,
          head: 2,
          members_version: 2,
        },
      ]);
      expect(client.received.messages).toEqual([]);
    }
  });

  it('may do it to oneself', async () => {
    const { ann, ben, conversationId } = await twoUsers();
    const client = await world.connectCaughtUp(ben);
    await world.removeMember(conversationId, ben, ben);
    await client.until(() => client.received.members.length === 1);
    expect(client.received.members[0]).toMatchObject({ change: 'removed', user_id: ben, seq: 0, head: 0 });
    const answer = await client.subscribe([{ conversation_id: conversationId }]);
    expect(answer).toMatchObject({ conversations: [{ status: 'error', code: 'conversation_not_found' }] });
    await world.post(conversationId, ann);
  });

  it('and added again: what lies between never comes, what follows does', async () => {
    const { ann, ben, conversationId } = await twoUsers();
    const client = await world.connectCaughtUp(ben);
    await world.post(conversationId, ann);
    await client.untilMessages(conversationId, 1);
    await world.removeMember(conversationId, ann, ben);
    await client.until(() => client.received.members.length === 1);
    await world.postMany(conversationId, ann, 2);
    await world.addMember(conversationId, ann, ben);
    await world.post(conversationId, ann);
    await client.untilMessages(conversationId, 2);
    expect(typesAndSeqs(client, conversationId)).toEqual(['message 1', 'removed 1', 'added 4', 'message 4']);
    expect(client.received.members.map((member) => member.members_version)).toEqual([2, 3]);
  });

  it('with credit used up only the latest is kept, and nothing of the time outside comes', async () => {
    const { ann, ben, conversationId } = await twoUsers();
    const client = await world.connectCaughtUp(ben, { credit: 1, autoAck: false });
    await world.postMany(conversationId, ann, 3);
    await client.untilMessages(conversationId, 1);
    await world.removeMember(conversationId, ann, ben);
    await world.settled(client);
    await world.post(conversationId, ann);
    await world.addMember(conversationId, ann, ben);
    await world.settled(client);
    await world.removeMember(conversationId, ann, ben);
    await world.settled(client);
    await world.post(conversationId, ann);
    await world.addMember(conversationId, ann, ben);
    await world.settled(client);
    await world.post(conversationId, ann);
    client.ack();
    await client.until(() => client.received.members.length === 1);
    expect(typesAndSeqs(client, conversationId)).toEqual(['message 1', 'added 6']);
    expect(client.received.members[0]).toMatchObject({ head: 5, members_version: 5 });
    client.ack();
    await client.untilMessages(conversationId, 2);
    expect(typesAndSeqs(client, conversationId)).toEqual(['message 1', 'added 6', 'message 6']);
  });

  it('with credit used up nothing that was committed before the removal follows it', async () => {
    const { ann, ben, conversationId } = await twoUsers();
    const client = await world.connectCaughtUp(ben, { credit: 1, autoAck: false });
    const other = await world.conversation(ann, ben);
    await client.until(() => client.received.members.length === 1);
    client.ack();
    await world.postMany(conversationId, ann, 3);
    await client.untilMessages(conversationId, 1);
    await world.removeMember(conversationId, ann, ben);
    await world.settled(client);
    client.ack();
    await client.until(() => client.received.members.length === 2);
    await world.post(other, ann);
    client.ack();
    await client.untilMessages(other, 1);
    expect(typesAndSeqs(client, conversationId)).toEqual(['message 1', 'removed 3']);
  });

  it('while catching up: the rest of the backlog does not come', async () => {
    const { ann, ben, conversationId } = await twoUsers();
    await world.insertRows(conversationId, 600);
    const client = await world.connect(ben, { withoutCursor: 'start', credit: 100, autoAck: false });
    await client.untilMessages(conversationId, 100);
    await world.removeMember(conversationId, ann, ben);
    await world.settled(client);
    client.ack();
    await client.until(() => client.received.members.length === 1);
    await world.settled(client);
    expect(client.received.messages).toHaveLength(100);
    expect(
      client.received.frames.filter(({ type }) => type === 'member' || type === 'message').at(-1)?.type,
    ).toBe('member');
  });

  it('while connecting: the news follow ready', async () => {
    const { ann, ben, conversationId } = await twoUsers();
    await world.post(conversationId, ann);
    const release = world.pod.reads.hold('readUsers');
    const socket = await world.open({ userId: ben });
    socket.send({ type: 'hello', without_cursor: 'start' });
    await socket.settled();
    await world.removeMember(conversationId, ann, ben);
    await world.post(conversationId, ann);
    release();
    await socket.frame('caught_up');
    await world.pod.reads.idle();
    await socket.settled();
    // Either it was read before the removal, and the removal is told; or behind it, and there is nothing to tell.
    const frames = socket.frames.filter((frame) => frame['conversation_id'] === conversationId);
    expect(frames.filter(({ type }) => type === 'message').every(({ seq }) => seq === 1)).toBe(true);
    if (frames.length > 0)
      expect(frames.at(-1)).toMatchObject({ type: 'member', change: 'removed', seq: 1, head: 1 });
  });
});
