import assert from 'node:assert/strict';
import type { Verdict } from '../../ports.ts';
import type { ClaimedRow } from './claimed-row.ts';
import type { Session } from './pool.ts';

/** `last_error` of a row that no frame can carry: it was never tried, so no attempt is counted. */
const TOO_LARGE = 'too_large';

/**
 * Rows of several buckets are marked by one statement while rows × buckets is no more than this: PostgreSQL 15 looks
 * for each id in each bucket. At four times as much, 256 rows of 8 buckets, nothing is gained any more: 5 to 6 ms in
 * one statement, 6 ms in eight.
 */
const PROBES_MAX = 512;

/**
 * Rows are marked as they were claimed: one that an operator has set to pending again meanwhile has another
 * replay_no and stays pending.
 *
 * Index: message_outbox_pending; the bounds of occurred_at leave the partitions of other days alone. Those of id are
 * for plans that were made while the tables were empty: they filter by the list of ids, and would read the whole
 * backlog of a bucket for it (200,000 rows waiting, 8 of each of 8 buckets marked: 40 ms, with the bounds 1 ms).
 * No join with the list: a plan might begin it with the backlog, too.
 */
const CLAIMED = `o.status = 'pending' AND o.bucket = ANY ($1) AND o.id = ANY ($2)
  AND o.id BETWEEN $3 AND $4 AND o.replay_no = $5
  AND o.occurred_at >= $6::timestamptz AND o.occurred_at < $7::timestamptz`;

const AS_CLAIMED = 'o.xmin = ANY ($8::xid[])';

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
         SET status = CASE WHEN $9::float8 IS NULL THEN 'dead' ELSE 'pending' END,
           attempts = o.attempts + CASE $8::text WHEN '${TOO_LARGE}' THEN 0 ELSE 1 END,
           last_error = $8,
           next_attempt_at = clock_timestamp() + $9::float8 * interval '1 millisecond'
         WHERE ${CLAIMED}`,
};

export interface MarkCounts {
  readonly sent: number;
  readonly failed: number;
  readonly dead: number;
}

export interface Claimed {
  /** By bucket and id. */
  readonly rows: readonly ClaimedRow[];
  /** Buckets with more pending rows than these. */
  readonly full: readonly number[];
}

/** Records the verdicts, one for each row in order, and commits, all in one round trip. */
export async function markVerdicts(
  session: Session,
  { rows, full }: Claimed,
  verdicts: readonly Verdict[],
): Promise<MarkCounts> {
  assert.equal(verdicts.length, rows.length, 'one verdict for each row');
  const sent = rows.filter((_, index) => verdicts[index]!.kind === 'sent');
  const updates: Promise<number>[] = [];
  for (const group of markedTogether(sent, full.length > 0)) {
    const writers = [...new Set(group.map((row) => row.written_by))];
    updates.push(session.execute(MARK_SENT, [...keysOf(group), writers]));
  }

  let failed = 0;
  let dead = 0;
  for (const [index, verdict] of verdicts.entries()) {
    if (verdict.kind !== 'failed' && verdict.kind !== 'dead') continue;
    const parkMs = verdict.kind === 'failed' ? verdict.parkMs : null;
    updates.push(session.execute(MARK_FAILED, [...keysOf([rows[index]!]), verdict.error, parkMs]));
    if (verdict.kind === 'failed') failed += 1;
    else dead += 1;
  }
  const commit = failed + dead === 0 ? 'COMMIT' : 'SET LOCAL synchronous_commit = on; COMMIT';
  const [counts] = await Promise.all([Promise.all(updates), session.command(commit)]);
  const sentCount = counts.slice(0, updates.length - failed - dead).reduce((sum, count) => sum + count, 0);
  return { sent: sentCount, failed, dead };
}

/**
 * Nearly always one group; rows that an operator has had sent again have their own. With a backlog each bucket has:
 * between the first and the last id of all of them there are others that wait.
 */
function markedTogether(rows: readonly ClaimedRow[], hasBacklog: boolean): ClaimedRow[][] {
  return groupBy(rows, (row) => row.replay_no).flatMap((group) => {
    const byBucket = groupBy(group, (row) => row.bucket);
    return hasBacklog || group.length * byBucket.length > PROBES_MAX ? byBucket : [group];
  });
}

function groupBy(rows: readonly ClaimedRow[], keyOf: (row: ClaimedRow) => number): ClaimedRow[][] {
  const groups = new Map<number, ClaimedRow[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group === undefined) groups.set(keyOf(row), [row]);
    else group.push(row);
  }
  return [...groups.values()];
}

/** Parameters 1 to 7, of rows with one replay_no. Times are whole milliseconds here, and may be finer in the table. */
function keysOf(rows: readonly ClaimedRow[]): unknown[] {
  const ids = rows.map((row) => row.id);
  const times = rows.map((row) => row.occurred_at);
  return [
    [...new Set(rows.map((row) => row.bucket))],
    ids,
    Math.min(...ids),
    Math.max(...ids),
    rows[0]!.replay_no,
    new Date(Math.min(...times)).toISOString(),
    new Date(Math.max(...times) + 1).toISOString(),
  ];
}
