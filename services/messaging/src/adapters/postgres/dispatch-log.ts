import type { DispatchLog, DispatchRound, OutboxRow, Verdict } from '../../ports.ts';
import { CLAIM_COLUMNS, toOutboxRow, type ClaimedRow } from './claimed-row.ts';
import { markVerdicts } from './mark-verdicts.ts';
import type { PostgresPool, Session } from './pool.ts';
import { resendBucket } from './resend-bucket.ts';

/** A batch ends at so many bytes of payload, though never before its first row. */
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

/** The row's lock is the ownership. Index: dispatch_bucket's primary key. */
const OWN_BUCKET = {
  name: 'own-bucket',
  text: 'SELECT bucket FROM messaging.dispatch_bucket WHERE bucket = $1 FOR UPDATE SKIP LOCKED',
};

/**
 * Conversations in which a row failed and waits: nothing of them goes out meanwhile.
 * Index: message_outbox_retrying, nearly always empty, and read once in each statement.
 */
const PARKED = `SELECT f.aggregate_id FROM messaging.message_outbox f
  WHERE f.status = 'pending' AND f.attempts > 0 AND f.next_attempt_at > clock_timestamp()`;

/**
 * Index: message_outbox_pending (bucket, id), merged over the partitions: ORDER BY id is the order of every
 * conversation. A statement of its own, behind the lock, so that it sees what the last owner committed.
 */
const CLAIM = {
  name: 'claim',
  text: `
    SELECT n.*, e.epoch, CASE WHEN n.bytes > 0 THEN n.payload::text END AS body
    FROM (
      SELECT s.*, count(*) OVER () AS found,
        sum(s.bytes) OVER (ORDER BY s.id ROWS UNBOUNDED PRECEDING) - s.bytes AS bytes_before
      FROM (
        SELECT ${CLAIM_COLUMNS}, o.payload, CASE WHEN o.size_bytes <= $3 THEN o.size_bytes ELSE 0 END AS bytes
        FROM messaging.message_outbox o
        WHERE o.status = 'pending' AND o.bucket = $1 AND o.aggregate_id NOT IN (${PARKED})
        ORDER BY o.id LIMIT $2) s) n
    CROSS JOIN messaging.log_epoch e
    WHERE n.bytes_before < ${CLAIM_MAX_BYTES}`,
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

  dispatchBucket(
    bucket: number,
    options: { readonly limit: number },
    publish: (rows: readonly OutboxRow[], epoch: number) => Promise<readonly Verdict[]>,
  ): Promise<DispatchRound> {
    return this.#pool.session((session) =>
      session.transaction(BEGIN_OWNERSHIP, async () => {
        if (!(await ownBucket(session, bucket))) return idleRound('busy', session);
        const claimed = await this.#claim(session, bucket, options.limit);
        if (claimed.rows.length === 0) return idleRound('empty', session);
        const verdicts = await publish(claimed.rows.map(toOutboxRow), claimed.epoch);
        const counts = await markVerdicts(session, bucket, claimed.rows, verdicts);
        return { status: 'done', picked: claimed.rows.length, ...counts, full: claimed.full };
      }),
    );
  }

  resendBucket(
    bucket: number,
    options: { readonly withinMs: number; readonly everyMs: number },
    publish: (rows: readonly OutboxRow[], epoch: number) => Promise<void>,
  ): Promise<number> {
    return this.#pool.session((session) =>
      session.transaction(BEGIN_OWNERSHIP, () =>
        resendBucket(session, { bucket, ...options, payloadLimitBytes: this.#payloadLimitBytes }, publish),
      ),
    );
  }

  async backlog(): Promise<{ pending: number; oldestPendingSeconds: number; deadRows: number }> {
    const [row] = await this.#pool.query<{ pending: number; oldest: number; dead: number }>(BACKLOG);
    return { pending: row!.pending, oldestPendingSeconds: Math.max(0, row!.oldest), deadRows: row!.dead };
  }

  async #claim(session: Session, bucket: number, limit: number) {
    const rows = await session.query<ClaimedRow & { found: number; epoch: number }>(CLAIM, [
      bucket,
      limit,
      this.#payloadLimitBytes,
    ]);
    const found = rows[0]?.found ?? 0;
    rows.sort((a, b) => a.id - b.id);
    return { rows, epoch: rows[0]?.epoch ?? 0, full: found === limit || rows.length < found };
  }
}

/** Whether this transaction owns the bucket now. */
async function ownBucket(session: Session, bucket: number): Promise<boolean> {
  return (await session.query(OWN_BUCKET, [bucket])).length === 1;
}

async function idleRound(status: 'busy' | 'empty', session: Session): Promise<DispatchRound> {
  await session.command('COMMIT');
  return { status, picked: 0, sent: 0, failed: 0, dead: 0, full: false };
}
