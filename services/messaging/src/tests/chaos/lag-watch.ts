import { machineClock } from '../history/history-writer.ts';
import { scrape } from '../support/scrape.ts';
import type { ChaosPod } from './chaos-pod.ts';

/** The runbook's bound of the consumers' lag. */
const LAG_MAX_SECONDS = 5;
const LOOK_EVERY_MS = 500;

interface Counts {
  readonly pid: number;
  readonly all: number;
  /** Of them, broadcast within the bound. */
  readonly soon: number;
}

/**
 * Looks at the consumers' lag, as an alert does: whether of the entries that were broadcast since the last look 95 %
 * were so within 5 s of their message, and nothing has lain unread for longer. A backlog that is worked off after an
 * outage is late by its nature: what counts is when it is gone.
 */
export class LagWatch {
  /** When the lag was too long the last time; undefined: not since the watch began. */
  lastBadAt: number | undefined;
  /** Entries that were broadcast since the watch began. */
  broadcast = 0;
  readonly #consumers: readonly ChaosPod[];
  readonly #last = new Map<string, Counts>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(pods: readonly ChaosPod[]) {
    this.#consumers = pods.filter(({ plan }) => plan.consumer);
  }

  start(): void {
    this.#looking = this.#look();
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() => this.#look());
    }, LOOK_EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    for (const pod of this.#consumers) {
      // One that is being started again has no lag to tell of.
      const samples = pod.isAlive ? await scrape(pod.process.httpUrl).catch(() => undefined) : undefined;
      if (samples === undefined) continue;
      const now: Counts = {
        pid: pod.process.pid,
        all: samples.get('messaging_consumer_lag_seconds_count') ?? 0,
        soon: samples.get(`messaging_consumer_lag_seconds_bucket{le="${LAG_MAX_SECONDS}"}`) ?? 0,
      };
      const before = this.#last.get(pod.name);
      this.#last.set(pod.name, now);
      const known = before?.pid === now.pid ? before : { all: now.all, soon: now.soon };
      const all = now.all - known.all;
      this.broadcast += all;
      const oldest = samples.get('messaging_consumer_oldest_unread_seconds') ?? 0;
      const isGood = now.soon - known.soon >= all * 0.95 && oldest < LAG_MAX_SECONDS;
      if (!isGood) this.lastBadAt = machineClock.monotonic();
    }
  }
}
