import type { OutboxRow } from '../../ports.ts';
import { CLAIM_COLUMNS, toOutboxRow, type ClaimedRow } from './claimed-row.ts';
import type { Session } from './pool.ts';

/** Rows are fetched and published in pieces of so many. */
const PIECE_ROWS = 256;

/** No row: owned by another dispatcher, or done recently. Index: dispatch_bucket's primary key. */
const OWN_BUCKET_DUE = {
  name: 'own-bucket-due',
  text: `SELECT e.epoch FROM messaging.dispatch_bucket b CROSS JOIN messaging.log_epoch e
         WHERE b.bucket = $1 AND b.resent_at < clock_timestamp() - $2 * interval '1 millisecond'
         FOR UPDATE OF b SKIP LOCKED`,
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
  text: 'UPDATE messaging.dispatch_bucket SET resent_at = clock_timestamp() WHERE bucket = $1',
};

/** Inside a transaction: see DispatchLog.resendBucket. Commits. */
export async function resendBucket(
  session: Session,
  options: { bucket: number; withinMs: number; everyMs: number; payloadLimitBytes: number },
  publish: (rows: readonly OutboxRow[], epoch: number) => Promise<void>,
): Promise<number> {
  const { bucket, withinMs, everyMs, payloadLimitBytes } = options;
  const [owned] = await session.query<{ epoch: number }>(OWN_BUCKET_DUE, [bucket, everyMs]);
  let resent = 0;
  if (owned !== undefined) {
    await session.execute(OPEN_CURSOR, [bucket, withinMs, payloadLimitBytes]);
    for (;;) {
      const rows = await session.query<ClaimedRow>(FETCH);
      // A row that no frame can carry was never on the stream.
      const piece = rows.map(toOutboxRow).filter((row) => row.message !== undefined);
      if (piece.length > 0) await publish(piece, owned.epoch);
      resent += piece.length;
      if (rows.length < PIECE_ROWS) break;
    }
    await session.execute(MARK_RESENT, [bucket]);
  }
  await session.command('COMMIT');
  return resent;
}
