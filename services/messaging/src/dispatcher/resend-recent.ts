import { BUCKETS } from '../bucket.ts';
import type { Clock } from '../clock.ts';
import { Fault } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { DispatchLog, LogMessage, OutboxRow, StreamMessage, StreamWriter } from '../ports.ts';

/** Rows dispatched within this time are sent again, and each bucket once in it, whoever does it. */
const RESEND_WITHIN_MS = 30_000;

export interface ResendOptions {
  readonly log: DispatchLog;
  readonly writer: StreamWriter;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly partitions: number;
  /** Asked before each bucket. */
  readonly goOn: () => boolean;
}

/**
 * After Redis may have lost what it acknowledged: puts the rows of the last 30 s on the stream once more, bucket
 * by bucket, without touching their status. Our own readers heal without it; other groups on the stream do not.
 * Rejects when Redis is gone again; the buckets done are done.
 * @returns false when it was told not to go on
 */
export async function resendRecent({ log, writer, metrics, clock, partitions, goOn }: ResendOptions): Promise<boolean> {
  const first = Math.floor(clock.random() * BUCKETS);
  for (let i = 0; i < BUCKETS; i++) {
    if (!goOn()) return false;
    const bucket = (first + i) % BUCKETS;
    await log.resendBucket(bucket, { withinMs: RESEND_WITHIN_MS, everyMs: RESEND_WITHIN_MS }, async (rows, epoch) => {
      let entries = rows.filter(isSendable).map((row): StreamMessage => ({ epoch, resent: true, message: row.message }));
      while (entries.length > 0) {
        const { appended, failure } = await writer.append(bucket % partitions, entries);
        metrics.dispatchPublished.inc(appended);
        metrics.dispatchResent.inc(appended);
        if (failure !== undefined && failure.kind !== 'entry') throw new Fault('unavailable', `redis: ${failure.reason}`);
        // It was on the stream once; refused now, it is left to the readers' own healing.
        entries = entries.slice(appended + (failure === undefined ? 0 : 1));
      }
    });
  }
  return true;
}

function isSendable(row: OutboxRow): row is OutboxRow & { readonly message: LogMessage } {
  return row.message !== undefined;
}
