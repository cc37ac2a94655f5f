import { formatTime } from '@sanctum/protocol';
import { HISTORY_MINUTES_MAX, type HistoryPoint } from '@sanctum/protocol/admin';
import type { Clock } from '../clock.ts';
import { LATENCY_BUCKETS_SECONDS } from '../metrics.ts';
import { type Fleet, quantileMs } from './fleet.ts';

export const HISTORY_STEP_MS = 2000;
const POINTS_MAX = (HISTORY_MINUTES_MAX * 60_000) / HISTORY_STEP_MS;

/** The last half hour of the whole fleet, as this pod heard it, in memory. */
export class PipelineHistory {
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  #points: HistoryPoint[] = [];

  constructor(fleet: Fleet, clock: Clock) {
    this.#fleet = fleet;
    this.#clock = clock;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(HISTORY_STEP_MS, signal);
      if (!signal.aborted) this.note();
    }
  }

  /** The oldest first. */
  last(minutes: number): HistoryPoint[] {
    const count = (minutes * 60_000) / HISTORY_STEP_MS;
    return this.#points.slice(-count);
  }

  note(): void {
    const rates = this.#fleet.rates();
    const alive = this.#fleet.alive();
    // Every pod with the stage knows the same figure, a little earlier or later.
    const highest = (figures: number[]) => (figures.length === 0 ? null : Math.max(...figures));
    const ms = (counts: readonly number[], quantile: number) =>
      quantileMs(counts, LATENCY_BUCKETS_SECONDS, quantile);
    this.#points.push({
      at: formatTime(this.#clock.now()),
      accepted: rates.accepted,
      dispatched: rates.dispatched,
      published: rates.published,
      consumed: rates.consumed,
      delivered: rates.frames,
      errors: rates.intakeErrors + rates.dispatchErrors + rates.consumerErrors + rates.malformed,
      pending: highest(alive.filter((pod) => pod.dispatcher).map((pod) => pod.pending)),
      oldest_unread_seconds: highest(
        alive.filter((pod) => pod.consumer).map((pod) => pod.oldestUnreadSeconds),
      ),
      connections: alive.reduce((sum, pod) => sum + pod.connections, 0),
      lag_p50_ms: ms(rates.lag, 0.5),
      lag_p95_ms: ms(rates.lag, 0.95),
      end_to_end_p50_ms: ms(rates.endToEnd, 0.5),
      end_to_end_p95_ms: ms(rates.endToEnd, 0.95),
    });
    if (this.#points.length > POINTS_MAX * 1.1) this.#points = this.#points.slice(-POINTS_MAX);
  }
}
