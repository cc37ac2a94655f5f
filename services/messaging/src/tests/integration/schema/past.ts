import { randomUUID } from 'node:crypto';
import type pg from 'pg';

/** Makes the partition of a day that is over, as if it had been there all along. */
export async function partitionOfDay(client: pg.Client, daysAgo: number): Promise<string> {
  const { rows } = await client.query(
    `SELECT 'message_outbox_p' || to_char(day, 'YYYYMMDD') AS name, day::text AS lower, (day + interval '1 day')::text AS upper
     FROM (SELECT date_trunc('day', now() AT TIME ZONE 'UTC') - $1 * interval '1 day' AS day) d`,
    [daysAgo],
  );
  const { name, lower, upper } = rows[0] as { name: string; lower: string; upper: string };
  await client.query(
    `CREATE TABLE IF NOT EXISTS messaging.${name} PARTITION OF messaging.message_outbox_days
     FOR VALUES FROM ('${lower}+00') TO ('${upper}+00')`,
  );
  return name;
}

/** Stores rows of noon of that day, one for each seq, past the trigger; their conversation's head keeps up. */
export async function storePast(
  client: pg.Client,
  row: {
    conversationId: string;
    seqs: readonly number[];
    daysAgo: number;
    status?: 'pending' | 'sent' | 'dead';
  },
): Promise<string> {
  const partition = await partitionOfDay(client, row.daysAgo);
  await client.query('SET session_replication_role = replica');
  for (const seq of row.seqs) {
    await client.query(
      `INSERT INTO messaging.message_outbox (id, event_id, message_id, event_type, aggregate_id, seq, payload, status,
         occurred_at, dispatched_at, bucket, members_version, size_bytes)
       SELECT nextval('messaging.message_outbox_id_seq'), gen_random_uuid(), $1, 'MessageCreated', $2, $3,
         '{"ciphertext": "old"}', $4, at, at, messaging.bucket_of($2), 0, 21
       FROM (SELECT (date_trunc('day', now() AT TIME ZONE 'UTC') - $5 * interval '1 day' + interval '12 hours')
               AT TIME ZONE 'UTC' AS at) d`,
      [randomUUID(), row.conversationId, seq, row.status ?? 'sent', row.daysAgo],
    );
  }
  await client.query('SET session_replication_role = origin');
  await client.query(
    `INSERT INTO messaging.conversation AS c (conversation_id, last_seq) VALUES ($1, $2)
     ON CONFLICT (conversation_id) DO UPDATE SET last_seq = greatest(c.last_seq, EXCLUDED.last_seq)`,
    [row.conversationId, Math.max(...row.seqs)],
  );
  return partition;
}

/** Names of the outbox's daily partitions, DEFAULT apart, from the oldest. */
export async function dayPartitions(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query(
    `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'messaging.message_outbox_days'::regclass AND c.relname <> 'message_outbox_default'
     ORDER BY 1`,
  );
  return rows.map((row) => row.relname as string);
}
