import type { Clock, Timer } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';

const COMPARE_EVERY_MS = 10_000;
/** An answer that took longer says too little. */
const ROUND_TRIP_MAX_MS = 500;
/** Below this the two clocks agree as well as a network can tell. */
const AGREES_WITHIN_MS = 250;

/**
 * The wall clock of the log. Messages carry Postgres' time, tokens the time of an issuer that keeps to it, and a pod
 * whose own clock is minutes off would measure a lag that is not there and refuse tokens that are good. So the
 * pod's clock is compared with Postgres' now and then, and corrected by what it is off.
 */
export class LogClock implements Clock {
  readonly #clock: Clock;
  #offsetMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now() + this.#offsetMs;
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  setTimer(delayMs: number, action: () => void): Timer {
    return this.#clock.setTimer(delayMs, action);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(delayMs, signal);
  }

  random(): number {
    return this.#clock.random();
  }

  uuid(): string {
    return this.#clock.uuid();
  }

  /** Compares until the signal. `readTime` answers the log's time, in milliseconds since the Unix epoch. */
  async follow(options: {
    readonly readTime: () => Promise<number>;
    readonly metrics: Metrics;
    readonly log: Log;
    readonly signal: AbortSignal;
  }): Promise<void> {
    while (!options.signal.aborted) {
      await this.compare(options);
      await this.#clock.sleep(COMPARE_EVERY_MS, options.signal);
    }
  }

  async compare(options: {
    readonly readTime: () => Promise<number>;
    readonly metrics: Metrics;
    readonly log: Log;
  }): Promise<void> {
    const { readTime, metrics, log } = options;
    const askedAt = this.#clock.monotonic();
    let logTime: number;
    try {
      logTime = await readTime();
    } catch (error) {
      log.warn('clock_not_compared', { reason: reasonOf(error) });
      return;
    }
    const roundTripMs = this.#clock.monotonic() - askedAt;
    if (roundTripMs > ROUND_TRIP_MAX_MS) return;
    const offMs = logTime + roundTripMs / 2 - this.#clock.now();
    metrics.clockOffset.set(-offMs / 1000);
    const offsetMs = Math.abs(offMs) < AGREES_WITHIN_MS ? 0 : offMs;
    if (Math.abs(offsetMs - this.#offsetMs) < AGREES_WITHIN_MS) return;
    log.warn('clock_corrected', { by_ms: Math.round(offsetMs) });
    this.#offsetMs = offsetMs;
  }
}
