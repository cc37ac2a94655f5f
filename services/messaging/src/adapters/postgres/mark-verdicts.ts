import assert from 'node:assert/strict';
import type { Verdict } from '../../ports.ts';
import type { ClaimedRow } from './claimed-row.ts';
import type { Session } from './pool.ts';

/** `last_error` of a row that no frame can carry: it was never tried, so no attempt is counted. */
const TOO_LARGE = 'too_large';

/**
 * Rows are marked as they were claimed: one that an operator has set to pending again meanwhile has another
 * replay_no and stays pending.
 *
 * Index: message_outbox_pending; the bounds of occurred_at leave the partitions of other days alone. No join with
 * a list of keys: a plan might begin it with the whole backlog of the bucket.
 */
const CLAIMED = `o.status = 'pending' AND o.bucket = $1 AND o.id = ANY ($2) AND o.replay_no = $3
  AND o.occurred_at >= $4::timestamptz AND o.occurred_at < $5::timestamptz`;

const AS_CLAIMED = 'o.xmin = ANY ($6::xid[])';

/**
 * A row that an operator's UPDATE met while it was on its way stays pending, as a replay: it had been sent, and the
 * trigger, which saw a pending row, could not know. It is sent again and counts as sent each time.
 */
const MARK_SENT = {
  name: 'mark-sent',
  text: `UPDATE messaging.message_outbox o
         SET status = CASE WHEN ${AS_CLAIMED} THEN 'sent' ELSE 'pending' END,
           dispatched_at = CASE WHEN ${AS_CLAIMED} THEN clock_timestamp() END,
           replay_no = o.replay_no + CASE WHEN ${AS_CLAIMED} THEN 0 ELSE 1 END,
           last_error = NULL, next_attempt_at = NULL
         WHERE ${CLAIMED}`,
};

/** One row. Without a time to park for it is dead. */
const MARK_FAILED = {
  name: 'mark-failed',
  text: `UPDATE messaging.message_outbox o
         SET status = CASE WHEN $7::float8 IS NULL THEN 'dead' ELSE 'pending' END,
           attempts = o.attempts + CASE $6::text WHEN '${TOO_LARGE}' THEN 0 ELSE 1 END,
           last_error = $6,
           next_attempt_at = clock_timestamp() + $7::float8 * interval '1 millisecond'
         WHERE ${CLAIMED}`,
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
  const updates: Promise<number>[] = [];
  for (const group of byReplayNo(sent)) {
    const writers = [...new Set(group.map((row) => row.written_by))];
    updates.push(session.execute(MARK_SENT, [bucket, ...keysOf(group), writers]));
  }

  let failed = 0;
  let dead = 0;
  for (const [index, verdict] of verdicts.entries()) {
    if (verdict.kind !== 'failed' && verdict.kind !== 'dead') continue;
    const parkMs = verdict.kind === 'failed' ? verdict.parkMs : null;
    updates.push(session.execute(MARK_FAILED, [bucket, ...keysOf([rows[index]!]), verdict.error, parkMs]));
    if (verdict.kind === 'failed') failed += 1;
    else dead += 1;
  }
  const commit = failed + dead === 0 ? 'COMMIT' : 'SET LOCAL synchronous_commit = on; COMMIT';
  const [counts] = await Promise.all([Promise.all(updates), session.command(commit)]);
  const sentCount = counts.slice(0, updates.length - failed - dead).reduce((sum, count) => sum + count, 0);
  return { sent: sentCount, failed, dead };
}

/** Nearly always one group: that of the rows which nobody has had sent again. */
function byReplayNo(rows: readonly ClaimedRow[]): ClaimedRow[][] {
  const groups = new Map<number, ClaimedRow[]>();
  for (const row of rows) {
    const group = groups.get(row.replay_no);
    if (group === undefined) groups.set(row.replay_no, [row]);
    else group.push(row);
  }
  return [...groups.values()];
}

/** Parameters 2 to 5, of rows with one replay_no. Times are whole milliseconds here, and may be finer in the table. */
function keysOf(rows: readonly ClaimedRow[]): unknown[] {
  const times = rows.map((row) => row.occurred_at);
  return [
    rows.map((row) => row.id),
    rows[0]!.replay_no,
    new Date(Math.min(...times)).toISOString(),
    new Date(Math.max(...times) + 1).toISOString(),
  ];
}
