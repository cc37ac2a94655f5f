import assert from 'node:assert/strict';
import type { DispatchLog, DispatchRound, OutboxRow, ResendRule, Verdict } from '../../ports.ts';
import { CLAIM_COLUMNS, toOutboxRow, type ClaimedRow } from './claimed-row.ts';
import { markVerdicts } from './mark-verdicts.ts';
import type { PostgresPool, Session } from './pool.ts';
import { resendBucket } from './resend-bucket.ts';

/** A batch ends at so many bytes of payload, an equal share for each bucket, though never before its first row. */
const CLAIM_MAX_BYTES = 8 * 1024 * 1024;
/** Rows beyond it are not counted: a gauge must stay cheap in the worst of times. */
const BACKLOG_COUNT_MAX = 1_000_000;

/**
 * A host that dies while it owns a bucket would hold it for TCP's two hours: the server gives up on it sooner.
 * Publishing takes its time inside the transaction, row by row at the worst.
 *
 * The commit does not wait for the disk, nor for a standby: should `sent` be lost in a crash, the rows go out again
 * as the repeats that at-least-once allows. A verdict that counts an attempt or buries a row does wait.
 */
export const BEGIN_OWNERSHIP = `BEGIN;
  SET LOCAL idle_in_transaction_session_timeout = '15s';
  SET LOCAL statement_timeout = '4s';
  SET LOCAL lock_timeout = '2s';
  SET LOCAL synchronous_commit = off`;

/**
 * The rows' locks are the ownership. Which they are is said to CLAIM by a setting of the transaction, so that the
 * two travel together: a round takes two round trips, not three. Index: dispatch_bucket's primary key.
 */
const OWN_BUCKETS = {
  name: 'own-buckets',
  text: `
    SELECT owned, set_config('sanctum.owned_buckets', owned::text, true)
    FROM (SELECT coalesce(array_agg(b.bucket), '{}') AS owned
      FROM (SELECT bucket FROM messaging.dispatch_bucket WHERE bucket = ANY ($1) FOR UPDATE SKIP LOCKED) b) o`,
};
const OWNED = `current_setting('sanctum.owned_buckets')::smallint[]`;
const OWNED_COUNT = `SELECT cardinality(${OWNED})`;

/**
 * Conversations in which a row failed and waits: nothing of them goes out meanwhile.
 * Index: message_outbox_retrying, nearly always empty, and read once in each statement.
 */
const PARKED = `SELECT f.aggregate_id FROM messaging.message_outbox f
  WHERE f.status = 'pending' AND f.attempts > 0 AND f.next_attempt_at > clock_timestamp()`;

/**
 * Index: message_outbox_pending (bucket, id), for each bucket merged over the partitions: ORDER BY id is the order
 * of every conversation. A statement of its own, behind the locks, so that it sees what the last owners committed.
 */
const CLAIM = {
  name: 'claim',
  text: `
    SELECT n.*, e.epoch, CASE WHEN n.bytes > 0 THEN n.payload::text END AS body
    FROM unnest(${OWNED}) b (bucket)
    CROSS JOIN LATERAL (
      SELECT s.*, count(*) OVER () AS found,
        sum(s.bytes) OVER (ORDER BY s.id ROWS UNBOUNDED PRECEDING) - s.bytes AS bytes_before
      FROM (
        SELECT ${CLAIM_COLUMNS}, o.payload, CASE WHEN o.size_bytes <= $2 THEN o.size_bytes ELSE 0 END AS bytes
        FROM messaging.message_outbox o
        WHERE o.status = 'pending' AND o.bucket = b.bucket AND o.aggregate_id NOT IN (${PARKED})
        ORDER BY o.id LIMIT $1 / (${OWNED_COUNT})) s) n
    CROSS JOIN messaging.log_epoch e
    WHERE n.bytes_before < ${CLAIM_MAX_BYTES} / (${OWNED_COUNT})`,
};

/**
 * Index: message_outbox_pending, hopping from one bucket that has rows to the next: an idle log costs one
 * probe of each partition, not 64.
 */
const PENDING_BUCKETS = {
  name: 'pending-buckets',
  text: `
    WITH RECURSIVE b (bucket) AS (
      VALUES ((-1)::smallint)
      UNION ALL
      SELECT (SELECT o.bucket FROM messaging.message_outbox o
        WHERE o.status = 'pending' AND o.bucket > b.bucket AND o.aggregate_id NOT IN (${PARKED})
        ORDER BY o.bucket LIMIT 1)
      FROM b WHERE b.bucket IS NOT NULL)
    SELECT bucket FROM b WHERE bucket >= 0`,
};

/**
 * Index: message_outbox_pending and message_outbox_dead. The oldest row is that of each bucket's first; a row
 * that an operator sends again is as old as its message, and says nothing about the dispatchers.
 */
const BACKLOG = {
  name: 'backlog',
  text: `
    SELECT
      (SELECT count(*) FROM (SELECT FROM messaging.message_outbox WHERE status = 'pending'
         LIMIT ${BACKLOG_COUNT_MAX}) p) AS pending,
      (SELECT count(*) FROM (SELECT FROM messaging.message_outbox WHERE status = 'dead'
         LIMIT ${BACKLOG_COUNT_MAX}) d) AS dead,
      coalesce((SELECT extract(epoch FROM clock_timestamp() - min(f.occurred_at))::float8
        FROM generate_series(0, 63) b
        CROSS JOIN LATERAL (SELECT o.occurred_at FROM messaging.message_outbox o
          WHERE o.status = 'pending' AND o.bucket = b AND o.replay_no = 0 ORDER BY o.id LIMIT 1) f), 0) AS oldest`,
};

export class PostgresDispatchLog implements DispatchLog {
  readonly #pool: PostgresPool;
  readonly #payloadLimitBytes: number;

  /** `payloadLimitBytes`: a larger payload fits no frame (`tooLargeAbove` of @sanctum/protocol). */
  constructor(pool: PostgresPool, options: { readonly payloadLimitBytes: number }) {
    this.#pool = pool;
    this.#payloadLimitBytes = options.payloadLimitBytes;
  }

  async pendingBuckets(): Promise<number[]> {
    const rows = await this.#pool.query<{ bucket: number }>(PENDING_BUCKETS);
    return rows.map((row) => row.bucket);
  }

  dispatchBuckets(
    buckets: readonly number[],
    { limit }: { readonly limit: number },
    publish: (rows: readonly OutboxRow[], epoch: number) => Promise<readonly Verdict[]>,
  ): Promise<DispatchRound> {
    assert(buckets.length <= limit, 'a share of the limit for each bucket');
    return this.#pool.session((session) =>
      session.transaction(BEGIN_OWNERSHIP, async () => {
        const { rows, epoch, ...ownership } = await this.#claim(session, buckets, limit);
        if (rows.length === 0) {
          await session.command('COMMIT');
          return { picked: 0, sent: 0, failed: 0, dead: 0, ...ownership };
        }
        const verdicts = await publish(rows.map(toOutboxRow), epoch);
        const counts = await markVerdicts(session, { rows, full: ownership.full }, verdicts);
        return { picked: rows.length, ...counts, ...ownership };
      }),
    );
  }

  resendBucket(
    bucket: number,
    rule: ResendRule,
    publish: (rows: readonly OutboxRow[], epoch: number) => Promise<void>,
  ): Promise<number | undefined> {
    return this.#pool.session((session) =>
      session.transaction(BEGIN_OWNERSHIP, () =>
        resendBucket(session, { bucket, ...rule, payloadLimitBytes: this.#payloadLimitBytes }, publish),
      ),
    );
  }

  async backlog(): Promise<{ pending: number; oldestPendingSeconds: number; deadRows: number }> {
    const [row] = await this.#pool.query<{ pending: number; oldest: number; dead: number }>(BACKLOG);
    return { pending: row!.pending, oldestPendingSeconds: Math.max(0, row!.oldest), deadRows: row!.dead };
  }

  async #claim(session: Session, buckets: readonly number[], limit: number) {
    const [[own], rows] = await Promise.all([
      session.query<{ owned: number[] }>(OWN_BUCKETS, [buckets]),
      session.query<ClaimedRow & { found: number; epoch: number }>(CLAIM, [limit, this.#payloadLimitBytes]),
    ]);
    const owned = own!.owned.sort((a, b) => a - b);
    rows.sort((a, b) => a.bucket - b.bucket || a.id - b.id);
    const picked = new Map<number, { found: number; count: number }>();
    for (const { bucket, found } of rows) {
      picked.set(bucket, { found, count: (picked.get(bucket)?.count ?? 0) + 1 });
    }
    const share = Math.floor(limit / owned.length);
    const full = owned.filter((bucket) => {
      const { found, count } = picked.get(bucket) ?? { found: 0, count: 0 };
      return found === share || count < found;
    });
    const busy = buckets.filter((bucket) => !owned.includes(bucket)).sort((a, b) => a - b);
    return { rows, epoch: rows[0]?.epoch ?? 0, busy, full };
  }
}
