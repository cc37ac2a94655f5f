import type { Clock } from '../clock.ts';
import type { LogMessage, OutboxRow, StreamAppend, StreamMessage, Verdict } from '../ports.ts';
import { afterAppend, failureVerdict, finalVerdicts, firstVerdicts, openRows } from './verdicts.ts';

/** One by one, a batch may take this long; the transaction around it has little more. */
const ONE_BY_ONE_MAX_MS = 3_000;

/** Why not all of a batch could be tried. */
export interface Trouble {
  readonly kind: 'outage' | 'connection';
  readonly reason: string;
  /** The first row that was not acknowledged: with `connection` it may be what breaks the connection each time. */
  readonly row: OutboxRow;
}

export interface BatchResult {
  readonly verdicts: Verdict[];
  readonly trouble: Trouble | undefined;
}

export interface BatchOptions {
  readonly epoch: number;
  readonly maxAttempts: number;
  readonly append: (entries: readonly StreamMessage[]) => Promise<StreamAppend>;
  /**
   * Given when this batch has broken connections before (suspicion.ts): its rows go one at a time, and the one
   * that breaks the connection while Redis answers on another has failed for its own sake.
   */
  readonly oneByOne: { readonly answers: () => Promise<boolean>; readonly clock: Clock } | undefined;
}

/** Puts a batch on the stream, in order, and says what became of each row. */
export async function publishBatch(rows: readonly OutboxRow[], options: BatchOptions): Promise<BatchResult> {
  const { epoch, maxAttempts, append, oneByOne } = options;
  const startedAt = oneByOne?.clock.monotonic() ?? 0;
  let verdicts = firstVerdicts(rows);
  for (;;) {
    const open = openRows(rows, verdicts);
    const tried = oneByOne === undefined ? open : open.slice(0, 1);
    if (tried.length === 0) return { verdicts: finalVerdicts(verdicts), trouble: undefined };
    const result = await append(tried.map((place) => entryOf(rows[place] as OutboxRow, epoch)));
    verdicts = afterAppend(rows, verdicts, tried, result, maxAttempts);
    const { failure } = result;
    if (failure !== undefined && failure.kind !== 'entry') {
      const place = tried[result.appended] as number;
      const row = rows[place] as OutboxRow;
      if (oneByOne !== undefined && failure.kind === 'connection' && (await oneByOne.answers())) {
        verdicts[place] = failureVerdict(row, 'connection', maxAttempts);
        return { verdicts: finalVerdicts(verdicts), trouble: undefined };
      }
      // One by one the question was asked already, and the answer was that Redis is gone.
      const kind = oneByOne === undefined ? failure.kind : 'outage';
      return { verdicts: finalVerdicts(verdicts), trouble: { kind, reason: failure.reason, row } };
    }
    if (oneByOne !== undefined && oneByOne.clock.monotonic() - startedAt > ONE_BY_ONE_MAX_MS) {
      return { verdicts: finalVerdicts(verdicts), trouble: undefined };
    }
  }
}

function entryOf(row: OutboxRow, epoch: number): StreamMessage {
  return { epoch, resent: false, message: row.message as LogMessage };
}
