import assert from 'node:assert/strict';
import type { Verdict } from '../../ports.ts';
import type { ClaimedRow } from './claimed-row.ts';
import type { Session } from './pool.ts';

/** `last_error` of a row that no frame can carry: it was never tried, so no attempt is counted. */
const TOO_LARGE = 'too_large';

/**
 * A row is marked only as it was claimed: one that an operator has set to pending again meanwhile has another
 * replay_no and stays pending.
 *
 * Index: message_outbox_pending; the bounds of occurred_at leave the partitions of other days alone.
 */
const claimed = `o.status = 'pending' AND o.bucket = $1 AND o.id = ANY ($2) AND o.id = v.id
  AND o.replay_no = v.replay_no AND o.occurred_at >= $4::timestamptz AND o.occurred_at < $5::timestamptz`;

const MARK_SENT = {
  name: 'mark-sent',
  text: `UPDATE messaging.message_outbox o
         SET status = 'sent', dispatched_at = clock_timestamp(), last_error = NULL, next_attempt_at = NULL
         FROM unnest($2::bigint[], $3::integer[]) v (id, replay_no)
         WHERE ${claimed}`,
};

const MARK_FAILED = {
  name: 'mark-failed',
  text: `UPDATE messaging.message_outbox o
         SET status = CASE WHEN v.park_ms IS NULL THEN 'dead' ELSE 'pending' END,
           attempts = o.attempts + CASE v.error WHEN '${TOO_LARGE}' THEN 0 ELSE 1 END,
           last_error = v.error,
           next_attempt_at = clock_timestamp() + v.park_ms * interval '1 millisecond'
         FROM unnest($2::bigint[], $3::integer[], $6::text[], $7::float8[]) v (id, replay_no, error, park_ms)
         WHERE ${claimed}`,
};

export interface MarkCounts {
  readonly sent: number;
  readonly failed: number;
  readonly dead: number;
}

/** Records the verdicts, one for each row in order, and commits, all in one round trip. */
export async function markVerdicts(
  session: Session,
  bucket: number,
  rows: readonly ClaimedRow[],
  verdicts: readonly Verdict[],
): Promise<MarkCounts> {
  assert.equal(verdicts.length, rows.length, 'one verdict for each row');
  const sent = rows.filter((_, index) => verdicts[index]!.kind === 'sent');
  const failed = rows.flatMap((row, index) => {
    const verdict = verdicts[index]!;
    return verdict.kind === 'failed' || verdict.kind === 'dead' ? [{ row, verdict }] : [];
  });
  const failedRows = failed.map(({ row }) => row);
  const errors = failed.map(({ verdict }) => verdict.error);
  const parks = failed.map(({ verdict }) => (verdict.kind === 'failed' ? verdict.parkMs : null));

  const [sentCount] = await Promise.all([
    sent.length === 0 ? 0 : session.execute(MARK_SENT, [bucket, ...keysOf(sent)]),
    failed.length === 0 ? 0 : session.execute(MARK_FAILED, [bucket, ...keysOf(failedRows), errors, parks]),
    session.command('COMMIT'),
  ]);
  const dead = failed.filter(({ verdict }) => verdict.kind === 'dead').length;
  return { sent: sentCount, failed: failed.length - dead, dead };
}

/** Parameters 2 to 5 of both statements. Times are whole milliseconds here, and may be finer in the table. */
function keysOf(rows: readonly ClaimedRow[]): unknown[] {
  const times = rows.map((row) => row.occurred_at);
  return [
    rows.map((row) => row.id),
    rows.map((row) => row.replay_no),
    new Date(Math.min(...times)).toISOString(),
    new Date(Math.max(...times) + 1).toISOString(),
  ];
}
