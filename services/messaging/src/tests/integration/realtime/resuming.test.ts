import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RealtimeWorld } from './support/realtime-world.ts';

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start();
});
afterAll(() => world.end());

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

async function conversationWith(userId: string, head: number): Promise<string> {
  const conversationId = await world.conversation(userId);
  if (head > 0) await world.insertRows(conversationId, head);
  return conversationId;
}

describe('a conversation without a cursor', () => {
  it('begins at its head, and nothing before it comes', async () => {
    const userId = world.user();
    const conversationId = await conversationWith(userId, 3);
    const client = await world.connectCaughtUp(userId);
    expect(client.received.frames.slice(1)).toEqual([
      {
        type: 'subscribed',
        conversations: [{ conversation_id: conversationId, status: 'ok', after: 3, head: 3, min: 1 }],
      },
      { type: 'caught_up' },
    ]);
    await world.post(conversationId, userId);
    await client.untilMessages(conversationId, 1);
    expect(client.received.seqs(conversationId)).toEqual([4]);
  });

  it('begins at what the member may read for a device that says "start"', async () => {
    const [ann, ben] = [world.user('ann'), world.user('ben')];
    const conversationId = await conversationWith(ann, 3);
    await world.addMember(conversationId, ann, ben);
    await world.insertRows(conversationId, 2);
    const client = await world.connectCaughtUp(ben, { withoutCursor: 'start' });
    expect(client.received.frames.map(({ type }) => type)).toEqual([
      'ready',
      'subscribed',
      'message',
      'message',
      'caught_up',
    ]);
    expect(client.received.subscribed).toEqual([
      { conversation_id: conversationId, status: 'ok', after: 3, head: 5, min: 4 },
    ]);
    expect(client.received.seqs(conversationId)).toEqual([4, 5]);
  });
});

describe('a client that comes back', () => {
  it('continues at its cursor + 1', async () => {
    const userId = world.user();
    const conversationId = await conversationWith(userId, 5);
    const first = await world.connectCaughtUp(userId, { withoutCursor: 'start' });
    first.terminate();
    await world.insertRows(conversationId, 4);
    const second = await world.connectCaughtUp(userId, { cursors: first.cursors() });
    expect(second.received.seqs(conversationId)).toEqual([6, 7, 8, 9]);
    expect(second.received.subscribed).toEqual([
      { conversation_id: conversationId, status: 'ok', after: 5, head: 9, min: 1 },
    ]);
    await world.post(conversationId, userId);
    await second.untilMessages(conversationId, 5);
    expect(second.received.seqs(conversationId)).toEqual(range(6, 10));
  });

  it('hears of conversations behind, new, foreign and left, and not of those it is up to date with', async () => {
    const [ann, ben] = [world.user('ann'), world.user('ben')];
    const current = await conversationWith(ben, 2);
    const behind = await conversationWith(ben, 2);
    const left = await world.conversation(ann, ben);
    const fresh = await conversationWith(ben, 1);
    const foreign = await conversationWith(ann, 1);
    const unknown = randomUUID();
    await world.removeMember(left, ann, ben);
    const conversations = [
      { conversationId: current, cursor: 2 },
      { conversationId: behind, cursor: 1 },
      { conversationId: left, cursor: 0 },
      { conversationId: foreign, cursor: 1 },
      { conversationId: unknown, cursor: 9 },
    ];
    const client = await world.connectCaughtUp(ben, { cursors: { epoch: 1, conversations } });
    expect(client.received.subscribed).toHaveLength(5);
    expect(client.received.subscribed).toEqual(
      expect.arrayContaining([
        { conversation_id: behind, status: 'ok', after: 1, head: 2, min: 1 },
        { conversation_id: fresh, status: 'ok', after: 1, head: 1, min: 1 },
        { conversation_id: left, status: 'error', code: 'conversation_not_found' },
        { conversation_id: foreign, status: 'error', code: 'conversation_not_found' },
        { conversation_id: unknown, status: 'error', code: 'conversation_not_found' },
      ]),
    );
    expect(client.received.frames.map(({ type }) => type)).toEqual([
      'ready',
      'subscribed',
      'message',
      'caught_up',
    ]);
    expect(client.received.frames.every((frame) => !('id' in frame))).toBe(true);
    expect(client.received.members).toEqual([]);
  });

  it('with more than 256 conversations hears of them in pieces, all before caught_up', async () => {
    const userId = world.user();
    await world.sql.query(
      `SELECT messaging.create_conversation(gen_random_uuid(), $1, ARRAY[$1], sha256('x')) FROM generate_series(1, 600)`,
      [userId],
    );
    const client = await world.connectCaughtUp(userId);
    const types = client.received.frames.map(({ type }) => type);
    expect(types).toEqual(['ready', 'subscribed', 'subscribed', 'subscribed', 'caught_up']);
    const sizes = client.received.frames.map((frame) =>
      frame.type === 'subscribed' ? frame.conversations.length : 0,
    );
    expect(sizes).toEqual([0, 256, 256, 88, 0]);
    expect(new Set(client.received.subscribed.map((item) => item.conversation_id)).size).toBe(600);

    const again = await world.connectCaughtUp(userId, { cursors: client.cursors() });
    expect(again.received.frames.map(({ type }) => type)).toEqual(['ready', 'caught_up']);
  });

  it('gets a backlog of several pages whole and in order, and what is posted meanwhile behind it', async () => {
    const userId = world.user();
    const conversationId = await conversationWith(userId, 1500);
    const client = await world.connect(userId, { withoutCursor: 'start' });
    await client.until(() => client.received.messages.length > 0);
    await world.postMany(conversationId, userId, 5);
    await client.untilMessages(conversationId, 1505, 10_000);
    expect(client.received.seqs(conversationId)).toEqual(range(1, 1505));
    expect(client.received.caughtUpCount).toBe(1);
  });

  it('is counted as a resume', async () => {
    const userId = world.user();
    const conversationId = await conversationWith(userId, 1);
    const before = (await world.metric('transport_resumes_total')) ?? 0;
    await world.connectCaughtUp(userId);
    expect(await world.metric('transport_resumes_total')).toBe(before);
    await world.connectCaughtUp(userId, {
      cursors: { epoch: 1, conversations: [{ conversationId, cursor: 0 }] },
    });
    expect(await world.metric('transport_resumes_total')).toBe(before + 1);
  });
});

describe('caught_up', () => {
  it('comes behind the last message that was there at ready, and only then', async () => {
    const userId = world.user();
    const conversationId = await conversationWith(userId, 4);
    const client = await world.connect(userId, { withoutCursor: 'start', credit: 1, autoAck: false });
    for (let seq = 1; seq <= 4; seq++) {
      await client.untilMessages(conversationId, seq);
      await world.settled(client);
      expect(client.received.caughtUpCount).toBe(seq === 4 ? 1 : 0);
      client.ack();
    }
  });

  it('does not wait for what came after ready', async () => {
    const userId = world.user();
    const conversationId = await conversationWith(userId, 2);
    const client = await world.connect(userId, { withoutCursor: 'start', credit: 1, autoAck: false });
    await client.untilMessages(conversationId, 1);
    await world.postMany(conversationId, userId, 3);
    client.ack();
    await client.untilMessages(conversationId, 2);
    await client.until(() => client.received.caughtUpCount === 1);
    expect(client.received.seqs(conversationId)).toEqual([1, 2]);
  });

  it('waits for every conversation', async () => {
    const userId = world.user();
    const conversations = [await conversationWith(userId, 1), await conversationWith(userId, 1)];
    const client = await world.connect(userId, { withoutCursor: 'start', credit: 1, autoAck: false });
    await client.until(() => client.received.messages.length === 1);
    await world.settled(client);
    expect(client.received.caughtUpCount).toBe(0);
    client.ack();
    await client.until(() => client.received.caughtUpCount === 1);
    expect(client.received.messages.map(({ conversationId }) => conversationId).sort()).toEqual(
      conversations.sort(),
    );
  });

  it('does not wait for a conversation that the user was removed from meanwhile', async () => {
    const [ann, ben] = [world.user('ann'), world.user('ben')];
    const conversationId = await world.conversation(ann, ben);
    await world.insertRows(conversationId, 5);
    const client = await world.connect(ben, { withoutCursor: 'start', credit: 2, autoAck: false });
    await client.untilMessages(conversationId, 2);
    await world.removeMember(conversationId, ann, ben);
    await client.until(() => client.received.caughtUpCount === 1);
    client.ack();
    await client.until(() => client.received.members.length === 1);
    expect(client.received.members[0]).toMatchObject({ change: 'removed', seq: 5, head: 5 });
    expect(client.received.seqs(conversationId)).toEqual([1, 2]);
  });
});
