import type { Clock } from '../clock.ts';

/** Frames at once, and frames a second, of one client; acks that advance are not counted. */
const BURST = 256;
const PER_SECOND = 50;

/** A token bucket. */
export class FrameRate {
  readonly #clock: Clock;
  #left = BURST;
  #at: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#at = clock.monotonic();
  }

  /** 0: go on; else the milliseconds after which there is room again. */
  take(): number {
    const now = this.#clock.monotonic();
    this.#left = Math.min(BURST, this.#left + ((now - this.#at) / 1000) * PER_SECOND);
    this.#at = now;
    if (this.#left < 1) return Math.ceil(((1 - this.#left) / PER_SECOND) * 1000);
    this.#left -= 1;
    return 0;
  }
}
