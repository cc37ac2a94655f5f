import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { PostgresConversationLog } from '../../adapters/postgres/conversation-log.ts';
import { PostgresDeadLetterLog } from '../../adapters/postgres/dead-letter-log.ts';
import { PostgresDispatchLog } from '../../adapters/postgres/dispatch-log.ts';
import { PostgresIntakeLog } from '../../adapters/postgres/intake-log.ts';
import { PostgresPool } from '../../adapters/postgres/pool.ts';
import { PostgresReaderLog } from '../../adapters/postgres/reader-log.ts';
import { freshDatabase } from '../support/servers.ts';
import { openPool } from '../support/test-database.ts';
import { describeLogContract } from './log-contract.ts';
import { PAYLOAD_LIMIT_BYTES, type LogUnderTest, type Operator } from './log-under-test.ts';

describeLogContract('the Postgres log', async (): Promise<LogUnderTest> => {
  const url = await freshDatabase();
  const pool = new PostgresPool({
    url,
    applicationName: 'contract',
    maxConnections: 10,
    callTimeoutMs: 20_000,
  });
  const prompt = openPool(url);
  const limit = { payloadLimitBytes: PAYLOAD_LIMIT_BYTES };
  return {
    intake: new PostgresIntakeLog(pool),
    conversations: new PostgresConversationLog(pool),
    reader: new PostgresReaderLog(pool, limit),
    dispatch: new PostgresDispatchLog(pool, limit),
    deadLetters: new PostgresDeadLetterLog(pool),
    operator: operatorAt(prompt),
    close: async () => {
      await pool.end();
      await prompt.end();
    },
  };
});

function operatorAt(prompt: pg.Pool): Operator {
  const run = async (sql: string, values: unknown[] = []) => (await prompt.query(sql, values)).rows;
  const hold = async (sql: string, value: unknown) => {
    const client = await prompt.connect();
    await client.query('BEGIN');
    await client.query(sql, [value]);
    return async () => {
      await client.query('ROLLBACK');
      client.release();
    };
  };
  const outbox = 'messaging.message_outbox';
  return {
    insertRow: async ({
      conversationId,
      messageId = randomUUID(),
      eventType = 'MessageCreated',
      payload,
    }) => {
      const [row] = await run(
        `INSERT INTO ${outbox} (event_id, message_id, event_type, aggregate_id, payload)
         VALUES (gen_random_uuid(), $1, $2, $3, $4) RETURNING seq`,
        [messageId, eventType, conversationId, payload],
      );
      return Number(row.seq);
    },
    replay: async (conversationId, from, to) => {
      await run(
        `UPDATE ${outbox} SET status = 'pending', attempts = 0, dispatched_at = NULL
         WHERE aggregate_id = $1 AND seq BETWEEN $2 AND $3`,
        [conversationId, from, to],
      );
    },
    requeueDead: async (conversationId) => {
      await run(
        `UPDATE ${outbox} SET status = 'pending', attempts = 0, last_error = NULL
         WHERE status = 'dead' AND aggregate_id = $1`,
        [conversationId],
      );
    },
    markDead: async (conversationId, seq) => {
      await run(`UPDATE ${outbox} SET status = 'dead' WHERE aggregate_id = $1 AND seq = $2`, [
        conversationId,
        seq,
      ]);
    },
    loseRow: async (conversationId, seq) => {
      await run(`DELETE FROM ${outbox} WHERE aggregate_id = $1 AND seq = $2`, [conversationId, seq]);
    },
    expireUpTo: async (conversationId, seq) => {
      await run(`UPDATE messaging.conversation SET floor_seq = $2 WHERE conversation_id = $1`, [
        conversationId,
        seq,
      ]);
      await run(`DELETE FROM ${outbox} WHERE aggregate_id = $1 AND seq <= $2 AND status <> 'dead'`, [
        conversationId,
        seq,
      ]);
      await run(`UPDATE ${outbox} SET kept = true WHERE aggregate_id = $1 AND seq <= $2`, [
        conversationId,
        seq,
      ]);
    },
    raiseEpoch: async () => {
      await run('UPDATE messaging.log_epoch SET epoch = epoch + 1, raised_at = now()');
    },
    passTime: async (ms) => {
      const step = `$1 * interval '1 millisecond'`;
      await run(
        `UPDATE ${outbox} SET next_attempt_at = next_attempt_at - ${step} WHERE next_attempt_at IS NOT NULL`,
        [ms],
      );
      await run(
        `UPDATE ${outbox} SET dispatched_at = dispatched_at - ${step} WHERE dispatched_at IS NOT NULL`,
        [ms],
      );
      await run(`UPDATE messaging.dispatch_bucket SET resent_at = resent_at - ${step}`, [ms]);
    },
    holdCounter: (id) => hold('SELECT FROM messaging.conversation WHERE conversation_id = $1 FOR UPDATE', id),
    holdBucket: (bucket) =>
      hold('SELECT FROM messaging.dispatch_bucket WHERE bucket = $1 FOR UPDATE', bucket),
    fillUser: async (userId) => {
      await run('INSERT INTO messaging.user_state (user_id, conversation_count) VALUES ($1, 10000)', [
        userId,
      ]);
    },
    fillConversation: async (conversationId) => {
      await run('UPDATE messaging.conversation SET member_count = 10000 WHERE conversation_id = $1', [
        conversationId,
      ]);
    },
    row: async (conversationId, seq) => {
      const [row] = await run(`SELECT * FROM ${outbox} WHERE aggregate_id = $1 AND seq = $2`, [
        conversationId,
        seq,
      ]);
      if (row === undefined) return undefined;
      const {
        status,
        attempts,
        replay_no: replayNo,
        last_error: lastError,
        dispatched_at: dispatchedAt,
      } = row;
      return {
        status,
        attempts,
        replayNo,
        lastError: lastError ?? undefined,
        dispatched: dispatchedAt !== null,
      };
    },
    deadLetters: () =>
      run('SELECT entry_id AS "entryId", group_name AS "group", reason, attempts FROM messaging.message_dlq'),
  };
}
