import type { OutboxRow, StreamAppend, Verdict } from '../ports.ts';

const PARK_FIRST_MS = 100;
const PARK_MAX_MS = 30_000;

/** How long a row's conversation rests after its `attempts`-th failure. */
export function parkMs(attempts: number): number {
  return Math.min(PARK_MAX_MS, PARK_FIRST_MS * 2 ** Math.min(attempts, 20));
}

/** What becomes of a row that failed for its own sake. */
export function failureVerdict(row: OutboxRow, error: string, maxAttempts: number): Verdict {
  const attempts = row.attempts + 1;
  return attempts >= maxAttempts
    ? { kind: 'dead', error }
    : { kind: 'failed', error, parkMs: parkMs(attempts) };
}

/** Verdicts so far, in the order of the rows; undefined: not decided yet. */
export type Verdicts = (Verdict | undefined)[];

/** Rows that can never be sent are decided before anything is. They hold up nobody: readers pass over them. */
export function firstVerdicts(rows: readonly OutboxRow[]): Verdicts {
  return rows.map((row) => (row.message === undefined ? { kind: 'dead', error: 'too_large' } : undefined));
}

/**
 * Which rows may be sent now, as places in the batch: those undecided whose conversation has no failed row in
 * this batch. A later message must not overtake the one that will be tried again.
 */
export function openRows(rows: readonly OutboxRow[], verdicts: Verdicts): number[] {
  const held = new Set<string>();
  rows.forEach(({ message }, i) => {
    if (message !== undefined && verdicts[i] !== undefined && verdicts[i].kind !== 'sent')
      held.add(message.conversationId);
  });
  const open: number[] = [];
  rows.forEach(({ message }, i) => {
    if (verdicts[i] === undefined && message !== undefined && !held.has(message.conversationId)) open.push(i);
  });
  return open;
}

/** The verdicts after the rows at `tried` were appended, as far as `result` says; an outage decides nothing. */
export function afterAppend(
  rows: readonly OutboxRow[],
  verdicts: Verdicts,
  tried: readonly number[],
  result: StreamAppend,
  maxAttempts: number,
): Verdicts {
  const next = [...verdicts];
  for (const place of tried.slice(0, result.appended)) next[place] = { kind: 'sent' };
  const refused = tried[result.appended];
  if (result.failure?.kind === 'entry' && refused !== undefined) {
    next[refused] = failureVerdict(rows[refused] as OutboxRow, result.failure.reason, maxAttempts);
  }
  return next;
}

/** What is still undecided stays as it was. */
export function finalVerdicts(verdicts: Verdicts): Verdict[] {
  return verdicts.map((verdict) => verdict ?? { kind: 'untouched' });
}
