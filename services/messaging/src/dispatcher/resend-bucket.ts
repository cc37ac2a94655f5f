import { Fault } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type {
  DispatchLog,
  LogMessage,
  OutboxRow,
  StreamMessage,
  StreamServer,
  StreamWriter,
} from '../ports.ts';

/** Rows dispatched within this time before the loss are sent again. */
const RESEND_WITHIN_MS = 30_000;
/** After a reconnect to the same server, each bucket once in this time, whoever does it. */
const RESEND_EVERY_MS = 30_000;
/** An outage that took longer counts as this long: what other dispatchers sent meanwhile has a bound. */
const DOWN_MAX_MS = 10 * 60_000;

export interface ResendOptions {
  readonly log: DispatchLog;
  readonly writer: StreamWriter;
  readonly metrics: Metrics;
  readonly partition: number;
  readonly server: StreamServer;
  /** Since the connection was made. */
  readonly connectedMs: number;
}

/**
 * After Redis may have lost what it acknowledged: puts a bucket's rows of the last 30 s on the stream once more,
 * without touching their status. Our own readers heal without it; other groups on the stream do not. Rejects when
 * Redis is gone again: then the bucket does not count as done.
 */
export async function resendBucket(
  bucket: number,
  { log, writer, metrics, partition, server, connectedMs }: ResendOptions,
): Promise<number | undefined> {
  const { life, reconnected, downMs } = server;
  const rule = {
    life,
    reconnected,
    withinMs: RESEND_WITHIN_MS,
    downMs: Math.min(DOWN_MAX_MS, downMs + connectedMs),
    downMaxMs: DOWN_MAX_MS,
    everyMs: RESEND_EVERY_MS,
  };
  return log.resendBucket(bucket, rule, async (rows, epoch) => {
    let entries = rows
      .filter(isSendable)
      .map((row): StreamMessage => ({ epoch, resent: true, message: row.message }));
    while (entries.length > 0) {
      const { appended, failure } = await writer.append(partition, entries);
      metrics.dispatchPublished.inc(appended);
      metrics.dispatchResent.inc(appended);
      if (failure !== undefined && failure.kind !== 'entry')
        throw new Fault('unavailable', `redis: ${failure.reason}`);
      // It was on the stream once; refused now, it is left to the readers' own healing.
      entries = entries.slice(appended + (failure === undefined ? 0 : 1));
    }
  });
}

function isSendable(row: OutboxRow): row is OutboxRow & { readonly message: LogMessage } {
  return row.message !== undefined;
}
