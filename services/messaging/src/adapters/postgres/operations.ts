import { appendAudit } from './operator-log.ts';
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
/** Not the last checkpoint's timeline, which for a while after a promotion is still the old one. */
const SERVER_IDENTITY = {
  name: 'server-identity',
  text: `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
           ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS timeline`,
};
/** The five columns of the runbook: what an operator types takes the same way. */
const APPEND_PROBE = {
  name: 'append-probe',
  text: `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
         VALUES (gen_random_uuid(), $1, 'SyntheticProbe', $2, '{}')
         RETURNING seq, occurred_at`,
};

/** Which history of which server: a restore or a failover changes one of them. */
export interface ServerIdentity {
  /** Of the data folder, which its copies share. */
  readonly system_identifier: string;
  /** A new one begins where recovery ends. */
  readonly timeline: number;
}

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

  /** The same by an operator's hand, with the record of it. */
  async ensurePartitionsBy(operator: string): Promise<number> {
    return this.#pool.session((session) =>
      session.transaction('BEGIN', async () => {
        const [row] = await session.query<{ made: number }>(ENSURE_PARTITIONS);
        const { made } = row!;
        await appendAudit(session, {
          operator,
          action: 'ensure_partitions',
          target: 'outbox',
          parameters: { made },
        });
        await session.command('COMMIT');
        return made;
      }),
    );
  }

  /** @throws Fault where this role may not know */
  async serverIdentity(): Promise<ServerIdentity> {
    const [row] = await this.#pool.query<ServerIdentity>(SERVER_IDENTITY);
    return row!;
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

  /** After a restore, before the first pod starts again. The record tells on which server, as far as it says so. */
  async raiseEpoch(operator: string): Promise<{ before: number; epoch: number }> {
    const server = await this.serverIdentity().catch(() => undefined);
    return this.#pool.session((session) =>
      session.transaction('BEGIN', async () => {
        const [row] = await session.query<{ before: number; epoch: number }>(RAISE_EPOCH);
        await appendAudit(session, {
          operator,
          action: 'raise_epoch',
          target: 'log',
          parameters: { ...row!, ...server },
        });
        await session.command('COMMIT');
        return row!;
      }),
    );
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
