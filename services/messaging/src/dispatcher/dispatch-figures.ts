import type { Clock } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { DispatchLog, DispatchRound } from '../ports.ts';

const GAUGES_EVERY_MS = 5_000;
const PROGRESS_EVERY_MS = 60_000;

/** Counts rounds, keeps the backlog's gauges fresh, and says now and then how far it has come. */
export class DispatchFigures {
  readonly #log: DispatchLog;
  readonly #metrics: Metrics;
  readonly #logger: Log;
  readonly #clock: Clock;
  #gaugesDueAt: number;
  #progressDueAt: number;
  #totals = { sent: 0, failed: 0, dead: 0 };
  #pending = 0;

  constructor(options: { log: DispatchLog; metrics: Metrics; logger: Log; clock: Clock }) {
    this.#log = options.log;
    this.#metrics = options.metrics;
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.#gaugesDueAt = this.#clock.monotonic();
    this.#progressDueAt = this.#gaugesDueAt + PROGRESS_EVERY_MS;
  }

  count({ picked, sent, failed, dead }: DispatchRound): void {
    this.#metrics.outboxPicked.inc(picked);
    this.#metrics.outboxSent.inc(sent);
    this.#metrics.outboxFailed.inc(failed);
    this.#metrics.outboxDead.inc(dead);
    this.#totals.sent += sent;
    this.#totals.failed += failed;
    this.#totals.dead += dead;
  }

  /** Called at every tick; most of the time there is nothing to do. */
  async refresh(): Promise<void> {
    const now = this.#clock.monotonic();
    if (now >= this.#gaugesDueAt) {
      this.#gaugesDueAt = now + GAUGES_EVERY_MS;
      await this.#readBacklog();
    }
    if (now >= this.#progressDueAt) {
      this.#progressDueAt = now + PROGRESS_EVERY_MS;
      this.#logger.info('dispatcher_progress', { ...this.#totals, pending: this.#pending });
    }
  }

  async #readBacklog(): Promise<void> {
    try {
      const { pending, oldestPendingSeconds, deadRows } = await this.#log.backlog();
      this.#metrics.outboxPending.set(pending);
      this.#metrics.outboxOldestPendingSeconds.set(oldestPendingSeconds);
      this.#metrics.outboxDeadRows.set(deadRows);
      this.#pending = pending;
    } catch (error) {
      this.#logger.warn('dispatcher_backlog_unknown', { reason: reasonOf(error) });
    }
  }
}
