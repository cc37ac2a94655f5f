import type { OutboxRow, ResendRule } from '../../ports.ts';
import { CLAIM_COLUMNS, toOutboxRow, type ClaimedRow } from './claimed-row.ts';
import type { Session } from './pool.ts';

/** Rows are fetched and published in pieces of so many. */
const PIECE_ROWS = 256;

/** No row: owned by another dispatcher. Index: dispatch_bucket's primary key. */
const OWN_BUCKET = {
  name: 'own-bucket-to-resend',
  text: `SELECT e.epoch, b.redis_life AS life,
                b.resent_at < clock_timestamp() - $2 * interval '1 millisecond' AS rested
         FROM messaging.dispatch_bucket b CROSS JOIN messaging.log_epoch e
         WHERE b.bucket = $1 FOR UPDATE OF b SKIP LOCKED`,
};

/** How long ago a bucket was served last. Index: message_outbox_dispatched. */
const LAST_DISPATCH = {
  name: 'last-dispatch-of-bucket',
  text: `SELECT extract(epoch FROM statement_timestamp() - max(dispatched_at))::float8 * 1000 AS ago_ms
         FROM messaging.message_outbox
         WHERE bucket = $1 AND status = 'sent'
           AND dispatched_at >= statement_timestamp() - $2 * interval '1 millisecond'`,
};

/**
 * A cursor, so that half a minute of a busy bucket need not fit into memory; payloads are read as they are fetched.
 * Index: message_outbox_dispatched.
 */
const OPEN_CURSOR = {
  name: 'open-resend-cursor',
  text: `DECLARE resend NO SCROLL CURSOR FOR
         SELECT n.*, CASE WHEN n.size_bytes <= $3 THEN n.payload::text END AS body
         FROM (SELECT ${CLAIM_COLUMNS}, o.payload, o.size_bytes FROM messaging.message_outbox o
               WHERE o.bucket = $1 AND o.status = 'sent'
                 AND o.dispatched_at >= statement_timestamp() - $2 * interval '1 millisecond'
               ORDER BY o.id OFFSET 0) n`,
};
const FETCH = { name: 'fetch-resend', text: `FETCH ${PIECE_ROWS} FROM resend` };

const MARK_RESENT = {
  name: 'mark-resent',
  text: `UPDATE messaging.dispatch_bucket SET resent_at = clock_timestamp(), redis_life = $2 WHERE bucket = $1`,
};
const MARK_LIFE = {
  name: 'mark-redis-life',
  text: 'UPDATE messaging.dispatch_bucket SET redis_life = $2 WHERE bucket = $1',
};

interface Owned {
  readonly epoch: number;
  readonly life: string | null;
  readonly rested: boolean;
}

/** Inside a transaction: see DispatchLog.resendBucket. Commits. */
export async function resendBucket(
  session: Session,
  options: ResendRule & { readonly bucket: number; readonly payloadLimitBytes: number },
  publish: (rows: readonly OutboxRow[], epoch: number) => Promise<void>,
): Promise<number | undefined> {
  const { bucket, life, reconnected, withinMs, downMs, downMaxMs, everyMs, payloadLimitBytes } = options;
  const [owned] = await session.query<Owned>(OWN_BUCKET, [bucket, everyMs]);
  if (owned === undefined) {
    await session.command('COMMIT');
    return undefined;
  }
  let resent = 0;
  const isOther = owned.life !== null && owned.life !== life;
  if (isOther || (reconnected && owned.rested)) {
    // 0: nothing was dispatched for so long that nothing is sent again.
    let sinceMs = withinMs + downMs;
    if (isOther) {
      const [last] = await session.query<{ ago_ms: number | null }>(LAST_DISPATCH, [
        bucket,
        withinMs + downMaxMs,
      ]);
      sinceMs = last?.ago_ms == null ? 0 : withinMs + last.ago_ms;
    }
    await session.execute(OPEN_CURSOR, [bucket, sinceMs, payloadLimitBytes]);
    for (;;) {
      const rows = await session.query<ClaimedRow>(FETCH);
      // A row that no frame can carry was never on the stream.
      const piece = rows.map(toOutboxRow).filter((row) => row.message !== undefined);
      if (piece.length > 0) await publish(piece, owned.epoch);
      resent += piece.length;
      if (rows.length < PIECE_ROWS) break;
    }
    await session.execute(MARK_RESENT, [bucket, life]);
  } else if (owned.life === null) {
    await session.execute(MARK_LIFE, [bucket, life]);
  }
  await session.command('COMMIT');
  return resent;
}
