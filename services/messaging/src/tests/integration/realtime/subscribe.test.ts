import { randomUUID } from 'node:crypto';
import type { SubscribedItem } from '@sanctum/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RealtimeWorld } from './support/realtime-world.ts';

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start();
});
afterAll(() => world.end());

/** A conversation with three messages, and a member's connection that follows nothing yet. */
async function scene() {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  await world.postMany(conversationId, userId, 3);
  return { userId, conversationId, client: await world.connectCaughtUp(userId, { subscribe: 'none' }) };
}

const ok = (conversationId: string, after: number): SubscribedItem => ({
  conversation_id: conversationId,
  status: 'ok',
  after,
  head: 3,
  min: 1,
});

describe('after', () => {
  it.each([
    ['left out', undefined, 3],
    ['"head"', 'head', 3],
    ['"start"', 'start', 0],
    ['0', 0, 0],
    ['a number', 1, 1],
    ['the head', 3, 3],
  ] as const)('%s', async (_what, after, begins) => {
    const { userId, conversationId, client } = await scene();
    const answer = await client.subscribe([
      { conversation_id: conversationId, ...(after !== undefined && { after }) },
    ]);
    expect(answer).toEqual({
      type: 'subscribed',
      id: 'request-1',
      conversations: [ok(conversationId, begins)],
    });
    await world.post(conversationId, userId);
    await client.until(() => client.cursorOf(conversationId) === 4);
    const types = client.received.frames.map(({ type }) => type);
    expect(types).toEqual([
      'ready',
      'caught_up',
      'subscribed',
      ...Array.from({ length: 4 - begins }, () => 'message'),
    ]);
    expect(client.received.seqs(conversationId)).toEqual([1, 2, 3, 4].slice(begins));
  });

  it('above the head is answered with cursor_ahead, and nothing follows', async () => {
    const { userId, conversationId, client } = await scene();
    const witness = await world.connectCaughtUp(userId);
    const answer = await client.subscribe([{ conversation_id: conversationId, after: 4 }]);
    const conversations = [{ conversation_id: conversationId, status: 'error', code: 'cursor_ahead' }];
    expect(answer).toEqual({ type: 'subscribed', id: 'request-1', conversations });
    await world.post(conversationId, userId);
    await witness.untilMessages(conversationId, 1);
    await world.settled(client);
    expect(client.received.messages).toEqual([]);
  });

  it('above the head leaves a conversation that is followed where it is', async () => {
    const { userId, conversationId, client } = await scene();
    await client.subscribe([{ conversation_id: conversationId }]);
    await client.subscribe([{ conversation_id: conversationId, after: 99 }]);
    await world.post(conversationId, userId);
    await client.untilMessages(conversationId, 1);
    expect(client.received.seqs(conversationId)).toEqual([4]);
  });

  it('"start" is where the member joined', async () => {
    const { userId, conversationId } = await scene();
    const late = world.user();
    await world.addMember(conversationId, userId, late);
    await world.post(conversationId, userId);
    const client = await world.connectCaughtUp(late, { subscribe: 'none' });
    const answer = await client.subscribe([{ conversation_id: conversationId, after: 'start' }]);
    expect(answer).toMatchObject({ conversations: [{ status: 'ok', after: 3, head: 4, min: 4 }] });
    await client.untilMessages(conversationId, 1);
    expect(client.received.seqs(conversationId)).toEqual([4]);
    expect(client.received.gaps).toEqual([]);
  });

  it('below where the member joined begins with a gap', async () => {
    const { userId, conversationId } = await scene();
    const late = world.user();
    await world.addMember(conversationId, userId, late);
    await world.post(conversationId, userId);
    const client = await world.connectCaughtUp(late, { subscribe: 'none' });
    await client.subscribe([{ conversation_id: conversationId, after: 1 }]);
    await client.untilMessages(conversationId, 1);
    expect(client.received.gaps).toEqual([
      { type: 'gap', conversation_id: conversationId, from: 2, to: 3, reason: 'not_member' },
    ]);
    expect(client.received.seqs(conversationId)).toEqual([4]);
  });
});

it('subscribing again re-seats: what came comes again, in order', async () => {
  const { userId, conversationId, client } = await scene();
  await client.subscribe([{ conversation_id: conversationId, after: 'start' }]);
  await client.untilMessages(conversationId, 3);
  const answer = await client.subscribe([{ conversation_id: conversationId, after: 1 }]);
  expect(answer).toMatchObject({ conversations: [ok(conversationId, 1)] });
  await client.untilMessages(conversationId, 5);
  await world.post(conversationId, userId);
  await client.untilMessages(conversationId, 6);
  expect(client.received.seqs(conversationId)).toEqual([1, 2, 3, 2, 3, 4]);
});

it('subscribing again with "head" leaves out what lies between', async () => {
  const { userId, conversationId } = await scene();
  const client = await world.connect(userId, { withoutCursor: 'start', credit: 1, autoAck: false });
  await client.untilMessages(conversationId, 1);
  await client.subscribe([{ conversation_id: conversationId }]);
  client.ack();
  await world.post(conversationId, userId);
  await client.untilMessages(conversationId, 2);
  expect(client.received.seqs(conversationId)).toEqual([1, 4]);
  expect(client.received.caughtUpCount).toBe(1);
});

it('an unknown conversation and a forbidden one are answered alike, to the byte', async () => {
  const { conversationId } = await scene();
  const unknown = randomUUID();
  const socket = await world.openReady(world.user(), { subscribe: 'none' });
  for (const [id, after] of [
    ['a', 'head'],
    ['b', 'start'],
    ['c', 0],
    ['d', 999],
  ] as const) {
    for (const conversation of [conversationId, unknown]) {
      socket.send({ type: 'subscribe', id, conversations: [{ conversation_id: conversation, after }] });
    }
  }
  await socket.settled();
  await world.pod.reads.idle();
  await socket.settled();
  const answers = socket.frames.slice(2).map((frame) => JSON.stringify(frame));
  expect(answers).toHaveLength(8);
  for (let n = 0; n < 8; n += 2) {
    expect(answers[n]).toContain('"code":"conversation_not_found"');
    expect(answers[n]?.replace(conversationId, unknown)).toBe(answers[n + 1]);
  }
});

it('each conversation of a subscribe is answered on its own, in its place', async () => {
  const { userId, conversationId, client } = await scene();
  const other = await world.conversation(userId);
  const unknown = randomUUID();
  const answer = await client.subscribe([
    { conversation_id: unknown },
    { conversation_id: conversationId, after: 2 },
    { conversation_id: other, after: 5 },
  ]);
  expect(answer).toMatchObject({
    conversations: [
      { conversation_id: unknown, status: 'error', code: 'conversation_not_found' },
      ok(conversationId, 2),
      { conversation_id: other, status: 'error', code: 'cursor_ahead' },
    ],
  });
});

it('an operator may follow any conversation from its start, and sees it as a member does', async () => {
  const { userId, conversationId } = await scene();
  const claims = { scope: 'messaging:operate' };
  const operator = await world.connectCaughtUp(world.user('operator'), { claims });
  const answer = await operator.subscribe([{ conversation_id: conversationId, after: 'start' }]);
  expect(answer).toMatchObject({ conversations: [ok(conversationId, 0)] });
  await world.post(conversationId, userId);
  await operator.untilMessages(conversationId, 4);
  const member = await world.connectCaughtUp(userId, { withoutCursor: 'start' });
  expect(operator.received.messages.map(({ payload }) => payload)).toEqual(
    member.received.messages.map(({ payload }) => payload),
  );
  const unknown = await operator.subscribe([{ conversation_id: randomUUID() }]);
  expect(unknown).toMatchObject({ conversations: [{ status: 'error', code: 'conversation_not_found' }] });
});

it.each(['messaging:manage', 'messaging:operator', 'operate'])(
  'scope %s does not make an operator',
  async (scope) => {
    const { conversationId } = await scene();
    const client = await world.connectCaughtUp(world.user(), { claims: { scope } });
    const answer = await client.subscribe([{ conversation_id: conversationId }]);
    expect(answer).toMatchObject({ conversations: [{ status: 'error', code: 'conversation_not_found' }] });
  },
);

describe('unsubscribe', () => {
  it('ends delivery, and is repeatable', async () => {
    const { userId, conversationId } = await scene();
    const client = await world.connectCaughtUp(userId);
    const witness = await world.connectCaughtUp(userId);
    for (const id of ['request-1', 'request-2']) {
      const answer = await client.unsubscribe([conversationId]);
      expect(answer).toEqual({
        type: 'unsubscribed',
        id,
        conversations: [{ conversation_id: conversationId, status: 'ok' }],
      });
    }
    await world.post(conversationId, userId);
    await witness.untilMessages(conversationId, 1);
    await world.settled(client);
    expect(client.received.messages).toEqual([]);
  });

  it('is not undone by news of the user that change nothing here', async () => {
    const { userId, conversationId } = await scene();
    const client = await world.connectCaughtUp(userId);
    await client.unsubscribe([conversationId]);
    const other = await world.conversation(userId);
    await client.until(() => client.received.members.some((member) => member.conversation_id === other));
    await world.post(conversationId, userId);
    await world.post(other, userId);
    await client.untilMessages(other, 1);
    expect(client.received.messagesOf(conversationId)).toEqual([]);
  });

  it('and subscribing again goes on where the client says', async () => {
    const { userId, conversationId, client } = await scene();
    await client.subscribe([{ conversation_id: conversationId, after: 2 }]);
    await client.untilMessages(conversationId, 1);
    await client.unsubscribe([conversationId]);
    await world.postMany(conversationId, userId, 2);
    await client.subscribe([{ conversation_id: conversationId, after: 3 }]);
    await client.untilMessages(conversationId, 3);
    expect(client.received.seqs(conversationId)).toEqual([3, 4, 5]);
  });

  it('of a conversation that is still catching up lets caught_up come', async () => {
    const { userId, conversationId } = await scene();
    const client = await world.connect(userId, { withoutCursor: 'start', credit: 1, autoAck: false });
    await client.untilMessages(conversationId, 1);
    expect(client.received.caughtUpCount).toBe(0);
    await client.unsubscribe([conversationId]);
    await client.until(() => client.received.caughtUpCount === 1);
  });
});
