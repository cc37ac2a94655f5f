import { expect, test } from 'vitest';
import { Fault } from '../errors.ts';
import type { ReaderLog } from '../ports.ts';
import { KeepingConnection, memoryHub, say } from '../tests/support/memory-hub.ts';

const CONVERSATION = '11111111-1111-4111-8111-111111111111';
const ANOTHER = '44444444-4444-4444-8444-444444444444';
const SOCKET_MAX_BYTES = 256 * 1024;

/** One member's live session with what it was sent. */
async function scene(options: { subscribe?: 'none'; wrap?: (reader: ReaderLog) => ReaderLog } = {}) {
  const { clock, log, hub } = memoryHub(options);
  for (const conversationId of [CONVERSATION, ANOTHER])
    await log.conversations.createConversation({ conversationId, owner: 'ann', members: ['bob'] });
  const connection = new KeepingConnection('connection');
  const session = hub.connect(connection, 'bob');
  say(session, { type: 'hello', ...(options.subscribe && { subscribe: options.subscribe }) });
  await clock.advance(100);
  const { frames } = connection;
  frames.length = 0;
  const insert = (conversationId: string, messageId: string) =>
    log.insertRow({
      conversationId,
      messageId,
      eventId: '33333333-3333-4333-8333-333333333333',
      eventType: 'Note',
      payload: '{}',
    });
  const subscribe = (...conversationIds: string[]) =>
    say(session, {
      type: 'subscribe',
      id: 1,
      conversations: conversationIds.map((id) => ({ conversation_id: id })),
    });
  return { clock, hub, log, session, connection, frames, insert, subscribe };
}

test('after a subscribe was refused, the old seat of that conversation sends nothing more', async () => {
  const { clock, log, frames, insert, subscribe } = await scene();
  // Committed while bob was a member, and not noticed yet; neither is his removal.
  insert(CONVERSATION, '22222222-2222-4222-8222-222222222222');
  const actor = { userId: 'ann', manage: false, operate: false };
  await log.conversations.removeMember({ conversationId: CONVERSATION, actor, userId: 'bob' });
  subscribe(CONVERSATION);
  await clock.advance(6000);
  expect(frames).toMatchObject([
    { type: 'member', change: 'removed', seq: 1 },
    { type: 'subscribed', conversations: [{ status: 'error', code: 'conversation_not_found' }] },
  ]);
});

test('a conversation that nobody reads goes from memory while a subscribe waits: its new seat is served', async () => {
  let [isTogether, release] = [true, () => {}];
  const gate = new Promise<void>((resolve) => (release = resolve));
  const wrap = (reader: ReaderLog): ReaderLog => {
    const readMembers: ReaderLog['readMembers'] = async (requests) => {
      // Asked for together they fail; the one alone is answered, the other much later.
      if (requests.length > 1 && isTogether) {
        isTogether = false;
        throw new Fault('unavailable', 'not now');
      }
      if (requests.some(({ conversationId }) => conversationId === ANOTHER)) await gate;
      return reader.readMembers(requests);
    };
    const real = (name: keyof ReaderLog) => (reader[name] as (...args: unknown[]) => unknown).bind(reader);
    return new Proxy(reader, {
      get: (_, name) => (name === 'readMembers' ? readMembers : real(name as keyof ReaderLog)),
    });
  };
  const { clock, hub, frames, insert, subscribe } = await scene({ subscribe: 'none', wrap });
  subscribe(CONVERSATION, ANOTHER);
  // Longer than a conversation without readers is kept.
  await clock.advance(70_000);
  expect(frames.map(({ type }) => type)).not.toContain('subscribed');
  release();
  await clock.advance(100);
  expect(frames.map(({ type }) => type)).toContain('subscribed');
  frames.length = 0;
  insert(CONVERSATION, '22222222-2222-4222-8222-222222222222');
  await clock.advance(31_000);
  expect(frames).toContainEqual(expect.objectContaining({ type: 'message', seq: 1 }));
  await hub.stop();
});

test('a client that asks and does not read is answered no further than its socket holds', async () => {
  const { clock, session, connection, frames } = await scene();
  connection.unsentBytes = SOCKET_MAX_BYTES;
  const ask = () => say(session, { type: 'unsubscribe', id: 1, conversations: [CONVERSATION] });
  for (let n = 0; n < 30; n++) ask();
  await clock.advance(100);
  expect(frames).toEqual([]);
  connection.unsentBytes = 0;
  session.flush();
  await clock.advance(100);
  expect(frames.filter(({ type }) => type === 'unsubscribed')).toHaveLength(30);

  connection.unsentBytes = SOCKET_MAX_BYTES;
  for (let n = 0; n < 100; n++) ask();
  await clock.advance(100);
  expect(connection.closed).toBe(4429);
});

test('of the conversations that were left on a connection the latest ten thousand are remembered', async () => {
  const { session } = await scene();
  for (let n = 0; n < 10_500; n++) session.noteLeft(`conversation-${n}`, n);
  session.noteLeft('conversation-600', 20_000);
  expect(session.left.size).toBe(10_000);
  expect(session.left.has('conversation-499')).toBe(false);
  expect(session.left.get('conversation-600')).toBe(20_000);
});

test('a slow client that acknowledges is kept, however long one write takes; one that does not is closed', async () => {
  const { clock, session, connection, frames, insert } = await scene();
  for (let n = 0; n < 3; n++) insert(CONVERSATION, `22222222-2222-4222-8222-22222222222${n}`);
  await clock.advance(31_000);
  expect(frames.filter(({ type }) => type === 'message')).toHaveLength(3);
  connection.unsentBytes = 200_000;
  for (let delivered = 1; delivered <= 3; delivered++) {
    await clock.advance(14_000);
    say(session, { type: 'ack', delivered });
  }
  await clock.advance(14_000);
  expect(connection.closed).toBeUndefined();
  await clock.advance(3_000);
  expect(connection.closed).toBe(4412);
});
