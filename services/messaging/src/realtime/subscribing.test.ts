import { expect, test } from 'vitest';
import type { ServerFrame } from '@sanctum/protocol';
import { MemoryBus } from '../adapters/memory/memory-bus.ts';
import { MemoryLog } from '../adapters/memory/memory-log.ts';
import { silentLog } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { ManualClock } from '../tests/support/manual-clock.ts';
import type { Connection } from './connection.ts';
import { Epochs } from './epochs.ts';
import { Hub } from './hub.ts';

const CONVERSATION = '11111111-1111-4111-8111-111111111111';

/** A hub over a log in memory, and one member's live session with what it was sent. */
async function scene() {
  const clock = new ManualClock();
  const log = new MemoryLog({ clock, payloadLimitBytes: 100_000 });
  await log.conversations.createConversation({
    conversationId: CONVERSATION,
    owner: 'ann',
    members: ['bob'],
  });
  const hub = new Hub({
    settings: { heartbeatMs: 30_000, payloadMaxBytes: 65_536, maxClients: 10 },
    clock,
    metrics: createMetrics({ dispatcher: false, consumer: false }),
    log: silentLog,
    epochs: new Epochs({ current: 1, reader: log.reader, log: silentLog }),
    reader: log.reader,
    bus: new MemoryBus({ clock }).subscriber(),
    verifier: {
      verify: (token) => ({
        ok: true,
        userId: token!,
        scopes: new Set(),
        expiresAt: clock.now() + 3_600_000,
        issuedAt: clock.now(),
      }),
    },
  });
  hub.start();
  const frames: ServerFrame[] = [];
  const take = (json: string) => void frames.push(JSON.parse(json) as ServerFrame);
  const connection: Connection = {
    id: 'connection',
    unsentBytes: 0,
    send: ({ json }) => take(json.toString()),
    sendJson: take,
    cork() {},
    uncork() {},
    ping() {},
    close() {},
    terminate() {},
  };
  const session = hub.connect(connection, 'bob');
  session.receive(JSON.stringify({ type: 'hello' }));
  await clock.advance(100);
  frames.length = 0;
  return { clock, log, session, frames };
}

test('after a subscribe was refused, the old seat of that conversation sends nothing more', async () => {
  const { clock, log, session, frames } = await scene();
  // Committed while bob was a member, and not noticed yet; neither is his removal.
  log.insertRow({
    conversationId: CONVERSATION,
    messageId: '22222222-2222-4222-8222-222222222222',
    eventId: '33333333-3333-4333-8333-333333333333',
    eventType: 'Note',
    payload: '{}',
  });
  const actor = { userId: 'ann', manage: false, operate: false };
  await log.conversations.removeMember({ conversationId: CONVERSATION, actor, userId: 'bob' });
  session.receive(
    JSON.stringify({ type: 'subscribe', id: 1, conversations: [{ conversation_id: CONVERSATION }] }),
  );
  await clock.advance(6000);
  expect(frames).toMatchObject([
    { type: 'member', change: 'removed', seq: 1 },
    { type: 'subscribed', conversations: [{ status: 'error', code: 'conversation_not_found' }] },
  ]);
});
