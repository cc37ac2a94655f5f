import { CursorBook } from '@sanctum/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { expectStatus } from '../../support/http-client.ts';
import { RealtimeWorld } from './support/realtime-world.ts';

let world: RealtimeWorld;
beforeAll(async () => {
  world = await RealtimeWorld.start();
});
afterAll(() => world.end());

let partitions = 0;

/** Makes the first messages of a conversation eight days old, and prunes as an operator does. */
async function expire(conversationId: string, upTo: number): Promise<void> {
  const part = `message_outbox_old_${++partitions}`;
  const lower = `(date_trunc('day', now()) - interval '${20 + partitions} days')`;
  const client = await world.sql.connect();
  try {
    await eventually(async () => {
      const { rows } = await client.query(
        `SELECT FROM messaging.message_outbox WHERE aggregate_id = $1 AND status = 'pending'`,
        [conversationId],
      );
      expect(rows).toHaveLength(0);
    });
    const { rows } = await client.query<{ lower: string; upper: string }>(
      `SELECT ${lower}::text AS lower, (${lower} + interval '1 day')::text AS upper`,
    );
    await client.query(`CREATE TABLE messaging.${part} (LIKE messaging.message_outbox INCLUDING ALL)`);
    await client.query(
      `ALTER TABLE messaging.message_outbox_days ATTACH PARTITION messaging.${part}
       FOR VALUES FROM ('${rows[0]!.lower}') TO ('${rows[0]!.upper}')`,
    );
    await client.query('BEGIN');
    // A row that is moved to another day must not get a new place there.
    await client.query('SET LOCAL session_replication_role = replica');
    await client.query(
      `UPDATE messaging.message_outbox SET occurred_at = ${lower} + interval '1 hour' WHERE aggregate_id = $1 AND seq <= $2`,
      [conversationId, upTo],
    );
    await client.query('COMMIT');
    await client.query(`CALL messaging.prune_message_outbox(INTERVAL '7 days')`);
  } finally {
    client.release();
  }
}

it('what has expired is announced to a client that was away for too long', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  await world.insertRows(conversationId, 5);
  await expire(conversationId, 3);
  const cursors = { epoch: 1, conversations: [{ conversationId, cursor: 1 }] };
  const client = await world.connectCaughtUp(userId, { cursors });
  expect(client.received.subscribed).toEqual([
    { conversation_id: conversationId, status: 'ok', after: 1, head: 5, min: 4 },
  ]);
  expect(client.received.gaps).toEqual([
    { type: 'gap', conversation_id: conversationId, from: 2, to: 3, reason: 'retention' },
  ]);
  expect(client.received.seqs(conversationId)).toEqual([4, 5]);
});

it('a device without a cursor begins behind what has expired, without a gap', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  await world.insertRows(conversationId, 3);
  await expire(conversationId, 2);
  const client = await world.connectCaughtUp(userId, { withoutCursor: 'start' });
  expect(client.received.subscribed).toEqual([
    { conversation_id: conversationId, status: 'ok', after: 2, head: 3, min: 3 },
  ]);
  expect(client.received.gaps).toEqual([]);
  expect(client.received.seqs(conversationId)).toEqual([3]);
});

it('a conversation in which everything has expired is caught up by a gap', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  await world.insertRows(conversationId, 4);
  await expire(conversationId, 4);
  const cursors = { epoch: 1, conversations: [{ conversationId, cursor: 0 }] };
  const client = await world.connectCaughtUp(userId, { cursors });
  expect(client.received.gaps).toEqual([
    { type: 'gap', conversation_id: conversationId, from: 1, to: 4, reason: 'retention' },
  ]);
  await world.post(conversationId, userId);
  await client.untilMessages(conversationId, 1);
  expect(client.received.seqs(conversationId)).toEqual([5]);
});

it('a dead row that outlived its day goes out once it is requeued, to whoever was told of it', async () => {
  const userId = world.user();
  const conversationId = await world.conversation(userId);
  await world.insertRows(conversationId, 1);
  const messageId = await world.insertRowAs(conversationId, `status = 'dead'`);
  await world.insertRows(conversationId, 1);
  const client = await world.connectCaughtUp(userId, { withoutCursor: 'start' });
  expect(client.received.gaps).toMatchObject([{ from: 2, to: 2, reason: 'dead_letter' }]);
  await expire(conversationId, 3);
  await world.sql.query(
    `UPDATE messaging.message_outbox SET status = 'pending', attempts = 0, last_error = NULL WHERE status = 'dead'`,
  );
  await client.untilMessages(conversationId, 3);
  const late = client.received.handedOn(conversationId).at(-1);
  expect(late).toMatchObject({ seq: 2, messageId, replay: 1, effect: 'deliver_late' });

  // A device that was away asks for it.
  const book = new CursorBook({
    epoch: 1,
    conversations: [{ conversationId, cursor: 3, openRanges: [[2, 2]] }],
  });
  const page = expectStatus(
    await (await world.http(userId)).history(conversationId, { after: 1, limit: 1 }),
    200,
  );
  expect(page.messages.map(({ seq }) => seq)).toEqual([2]);
  const effects = page.messages.flatMap((message) => book.apply(message as never));
  expect(effects.map(({ kind }) => kind)).toEqual(['deliver_late']);
  expect(book.openRanges()).toEqual([]);
});
