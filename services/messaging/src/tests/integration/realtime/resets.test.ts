import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RealtimeWorld } from './support/realtime-world.ts';

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start();
});
afterAll(() => world.end());

/** A conversation of one user with `head` messages. */
async function conversationWith(userId: string, head: number): Promise<string> {
  const conversationId = await world.conversation(userId);
  await world.postMany(conversationId, userId, head);
  return conversationId;
}

const at = (conversationId: string, cursor: number) => ({ conversationId, cursor });

describe('a cursor from the future', () => {
  it('is reset, and the conversation goes on at its head', async () => {
    const userId = world.user();
    const conversationId = await conversationWith(userId, 2);
    const cursors = { epoch: 1, conversations: [at(conversationId, 3)] };
    const client = await world.connectCaughtUp(userId, { cursors });
    expect(client.received.frames.slice(1)).toEqual([
      { type: 'reset', conversation_id: conversationId, epoch: 1, head: 2, reason: 'cursor_ahead' },
      {
        type: 'subscribed',
        conversations: [{ conversation_id: conversationId, status: 'ok', after: 2, head: 2, min: 1 }],
      },
      { type: 'caught_up' },
    ]);
    expect(client.cursorOf(conversationId)).toBe(2);
    await world.post(conversationId, userId);
    await client.untilMessages(conversationId, 1);
    expect(client.received.seqs(conversationId)).toEqual([3]);
  });

  it('is reset, and the conversation begins anew for a device that wants "start"', async () => {
    const userId = world.user();
    const conversationId = await conversationWith(userId, 2);
    const cursors = { epoch: 1, conversations: [at(conversationId, 99)] };
    const client = await world.connectCaughtUp(userId, { cursors, withoutCursor: 'start' });
    expect(client.received.frames.map(({ type }) => type)).toEqual([
      'ready',
      'reset',
      'subscribed',
      'message',
      'message',
      'caught_up',
    ]);
    expect(client.received.subscribed).toEqual([
      { conversation_id: conversationId, status: 'ok', after: 0, head: 2, min: 1 },
    ]);
    expect(client.received.seqs(conversationId)).toEqual([1, 2]);
  });

  it('concerns no other conversation', async () => {
    const userId = world.user();
    const ahead = await conversationWith(userId, 1);
    const behind = await conversationWith(userId, 3);
    const cursors = { epoch: 1, conversations: [at(ahead, 7), at(behind, 1)] };
    const client = await world.connectCaughtUp(userId, { cursors });
    expect(client.received.resets.map((reset) => reset.conversation_id)).toEqual([ahead]);
    expect(client.received.seqs(behind)).toEqual([2, 3]);
  });

  it('costs credit as any other counted frame', async () => {
    const userId = world.user();
    const conversations = [await conversationWith(userId, 0), await conversationWith(userId, 0)];
    const cursors = { epoch: 1, conversations: conversations.map((id) => at(id, 5)) };
    const client = await world.connect(userId, { cursors, credit: 1, autoAck: false });
    await client.ping();
    expect(client.received.frames.map(({ type }) => type)).toEqual(['ready', 'reset', 'pong']);
    client.ack(1);
    await client.until(() => client.received.caughtUpCount === 1);
    expect(client.received.frames.map(({ type }) => type).slice(3)).toEqual([
      'reset',
      'subscribed',
      'caught_up',
    ]);
    client.ack(2);
    await client.ping();
  });

  it('that waits for credit does not undo what the client asks for meanwhile', async () => {
    const userId = world.user();
    const conversations = [await conversationWith(userId, 2), await conversationWith(userId, 2)];
    const cursors = { epoch: 1, conversations: conversations.map((id) => at(id, 9)) };
    const client = await world.connect(userId, { cursors, credit: 1, autoAck: false });
    await client.until(() => client.received.resets.length === 1);
    const waiting = conversations.find((id) => id !== client.received.resets[0]!.conversation_id)!;
    await client.subscribe([{ conversation_id: waiting, after: 'start' }]);
    for (let seq = 1; seq <= 2; seq++) {
      client.ack();
      await client.untilMessages(waiting, seq);
    }
    expect(client.received.seqs(waiting)).toEqual([1, 2]);
    expect(client.received.resets).toHaveLength(1);
  });
});

describe('cursors of another epoch', () => {
  it('are reset all at once, first of all, and everything goes on as without them', async () => {
    const userId = world.user();
    const conversations = [await conversationWith(userId, 1), await conversationWith(userId, 3)];
    const cursors = { epoch: 7, conversations: [at(conversations[0]!, 1), at(conversations[1]!, 2)] };
    const client = await world.connectCaughtUp(userId, { cursors });
    const { frames, subscribed } = client.received;
    expect(frames.map(({ type }) => type)).toEqual(['ready', 'reset', 'subscribed', 'caught_up']);
    expect(frames[1]).toEqual({ type: 'reset', conversation_id: '*', epoch: 1, reason: 'epoch' });
    expect(subscribed).toHaveLength(2);
    expect(subscribed).toContainEqual({
      conversation_id: conversations[0],
      status: 'ok',
      after: 1,
      head: 1,
      min: 1,
    });
    expect(subscribed).toContainEqual({
      conversation_id: conversations[1],
      status: 'ok',
      after: 3,
      head: 3,
      min: 1,
    });
    expect(client.cursors().epoch).toBe(1);
  });

  it('begin anew for a device that wants "start"', async () => {
    const userId = world.user();
    const conversationId = await conversationWith(userId, 3);
    const cursors = { epoch: 0, conversations: [at(conversationId, 3)] };
    const client = await world.connectCaughtUp(userId, { cursors, withoutCursor: 'start' });
    expect(client.received.resets).toEqual([
      { type: 'reset', conversation_id: '*', epoch: 1, reason: 'epoch' },
    ]);
    expect(client.received.seqs(conversationId)).toEqual([1, 2, 3]);
  });

  it('an epoch without cursors resets nothing', async () => {
    const socket = await world.openReady(world.user(), { epoch: 7 });
    expect(socket.types).toEqual(['ready', 'caught_up']);
  });
});

describe('an epoch that is raised while clients are connected', () => {
  it('closes with 1012, and whoever comes back begins anew', async () => {
    const userId = world.user();
    const conversationId = await conversationWith(userId, 2);
    const before = await world.connectCaughtUp(userId, { withoutCursor: 'start' });
    expect(before.received.ready?.epoch).toBe(1);
    await world.sql.query('UPDATE messaging.log_epoch SET epoch = epoch + 1, raised_at = now()');
    await world.pod.clock.leap(5000);
    const { code, retryAfterMs } = await before.untilClosed();
    expect(code).toBe(1012);
    expect(retryAfterMs).toBeGreaterThanOrEqual(1000);

    const after = await world.connectCaughtUp(userId, { cursors: before.cursors(), withoutCursor: 'start' });
    expect(after.received.ready?.epoch).toBe(2);
    expect(after.received.frames[1]).toEqual({
      type: 'reset',
      conversation_id: '*',
      epoch: 2,
      reason: 'epoch',
    });
    expect(after.received.seqs(conversationId)).toEqual([1, 2]);
    expect((await world.post(conversationId, userId)).epoch).toBe(2);
    await after.untilMessages(conversationId, 3);
  });

  it('a log that was set back closes with 1012, although nobody raised the epoch', async () => {
    const userId = world.user();
    const conversationId = await conversationWith(userId, 0);
    const client = await world.connectCaughtUp(userId);
    await world.postMany(conversationId, userId, 2);
    await client.untilMessages(conversationId, 2);
    await world.sql.query('UPDATE messaging.conversation SET last_seq = 1 WHERE conversation_id = $1', [
      conversationId,
    ]);
    await world.pod.clock.leap(2000);
    expect((await client.untilClosed()).code).toBe(1012);
  });
});
