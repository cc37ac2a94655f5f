import type { PostgresPool } from './pool.ts';

/** Partitions that there always are beyond the present one, which are days unless a soak test squeezes them. */
const ENSURE_PARTITIONS = {
  name: 'ensure-partitions',
  text: `SELECT messaging.ensure_message_outbox_partitions(3 * partition_span) AS made FROM messaging.installation`,
};
const READ_TIME = {
  name: 'read-time',
  text: 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now',
};
const INSTALLATION_ID = { name: 'installation-id', text: 'SELECT id FROM messaging.installation' };
/**
 * A restore sets the epoch back with everything else, so one more than that may have been used before the restore,
 * and clients hold cursors of it. The seconds since 1970 were not.
 */
const RAISE_EPOCH = {
  name: 'raise-epoch',
  text: `WITH old AS (SELECT epoch FROM messaging.log_epoch FOR UPDATE)
         UPDATE messaging.log_epoch e
         SET epoch = greatest(old.epoch + 1, extract(epoch FROM clock_timestamp())::bigint), raised_at = now()
         FROM old RETURNING old.epoch AS before, e.epoch`,
};
/** The five columns of the runbook: what an operator types takes the same way. */
const APPEND_PROBE = {
  name: 'append-probe',
  text: `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
         VALUES (gen_random_uuid(), $1, 'SyntheticProbe', $2, '{}')
         RETURNING seq, occurred_at`,
};

/** What the service and its operators do with the log besides reading and writing messages. */
export class PostgresOperations {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  /** Makes the partitions of the days to come; returns how many are new. */
  async ensurePartitions(): Promise<number> {
    const [row] = await this.#pool.query<{ made: number }>(ENSURE_PARTITIONS);
    return row!.made;
  }

  /** The log's wall time, in milliseconds since the Unix epoch. */
  async readTime(): Promise<number> {
    const [row] = await this.#pool.query<{ now: number }>(READ_TIME);
    return row!.now;
  }

  /** Names this installation in Redis channel names, which know no database numbers. */
  async installationId(): Promise<string> {
    const [row] = await this.#pool.query<{ id: string }>(INSTALLATION_ID);
    return row!.id;
  }

  /** After a restore, before the first pod starts again. */
  async raiseEpoch(): Promise<{ before: number; epoch: number }> {
    const [row] = await this.#pool.query<{ before: number; epoch: number }>(RAISE_EPOCH);
    return row!;
  }

  /** A synthetic message that takes the whole path, from the outbox on. */
  async appendProbe(probe: {
    conversationId: string;
    messageId: string;
  }): Promise<{ seq: number; occurredAt: number }> {
    const [row] = await this.#pool.query<{ seq: number; occurred_at: number }>(APPEND_PROBE, [
      probe.messageId,
      probe.conversationId,
    ]);
    return { seq: row!.seq, occurredAt: row!.occurred_at };
  }
}
