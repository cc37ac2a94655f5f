import type { PostgresPool } from './pool.ts';

const ENSURE_PARTITIONS = {
  name: 'ensure-partitions',
  text: 'SELECT messaging.ensure_message_outbox_partitions() AS made',
};
const INSTALLATION_ID = { name: 'installation-id', text: 'SELECT id FROM messaging.installation' };
const RAISE_EPOCH = {
  name: 'raise-epoch',
  text: 'UPDATE messaging.log_epoch SET epoch = epoch + 1, raised_at = now() RETURNING epoch',
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

  /** Makes the partitions of the days to come; returns how many are new. At the start, and hourly. */
  async ensurePartitions(): Promise<number> {
    const [row] = await this.#pool.query<{ made: number }>(ENSURE_PARTITIONS);
    return row!.made;
  }

  /** Names this installation in Redis channel names, which know no database numbers. */
  async installationId(): Promise<string> {
    const [row] = await this.#pool.query<{ id: string }>(INSTALLATION_ID);
    return row!.id;
  }

  /** After a restore, before the first pod starts again. Returns the new epoch. */
  async raiseEpoch(): Promise<number> {
    const [row] = await this.#pool.query<{ epoch: number }>(RAISE_EPOCH);
    return row!.epoch;
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
