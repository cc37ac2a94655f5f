import type { Clock } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { StreamReader } from '../ports.ts';

const GAUGES_EVERY_MS = 5_000;
const PROGRESS_EVERY_MS = 60_000;

/** Keeps the group's gauges fresh, also while nothing is read, and says now and then how far it has come. */
export class ConsumerFigures {
  readonly #options: { reader: StreamReader; metrics: Metrics; log: Log; clock: Clock };
  #progressDueAt: number;
  #totals = { fetched: 0, delivered: 0, acknowledged: 0 };

  constructor(options: { reader: StreamReader; metrics: Metrics; log: Log; clock: Clock }) {
    this.#options = options;
    this.#progressDueAt = options.clock.monotonic() + PROGRESS_EVERY_MS;
  }

  fetched(count: number): void {
    this.#options.metrics.consumerFetch.inc(count);
    this.#totals.fetched += count;
  }

  delivered(count: number): void {
    this.#options.metrics.consumerDelivered.inc(count);
    this.#totals.delivered += count;
  }

  acknowledged(count: number): void {
    this.#options.metrics.consumerAck.inc(count);
    this.#totals.acknowledged += count;
  }

  /** Until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#refresh();
      await this.#options.clock.sleep(GAUGES_EVERY_MS, signal);
    }
  }

  async #refresh(): Promise<void> {
    const { reader, metrics, log, clock } = this.#options;
    try {
      const { pending, oldestUnreadSeconds, trimmedUnread, length, unread } = await reader.figures();
      metrics.consumerPelSize.set(pending);
      metrics.streamLength.set(length);
      metrics.streamUnread.set(unread);
      metrics.consumerOldestUnreadSeconds.set(oldestUnreadSeconds);
      metrics.streamTrimmedUnread.inc(trimmedUnread);
      if (trimmedUnread > 0) log.warn('consumer_trimmed_unread', { entries: trimmedUnread });
      if (clock.monotonic() < this.#progressDueAt) return;
      this.#progressDueAt = clock.monotonic() + PROGRESS_EVERY_MS;
      log.info('consumer_progress', { ...this.#totals, pending, oldest_unread_seconds: oldestUnreadSeconds });
    } catch (error) {
      // The read loop tells of an outage; here the gauges keep their last values.
      log.debug('consumer_figures_unknown', { reason: reasonOf(error) });
    }
  }
}
