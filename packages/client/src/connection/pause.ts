import type { Clock, Timer } from '../clock.ts';

/** However often the network is said to be back, tries are at least so far apart. */
export const WOKEN_PAUSE_MIN_MS = 1000;

/** The wait before the next try. Good news cut it short, though never below the floor that the server asked for. */
export class Pause {
  declare readonly over: Promise<void>;
  readonly #clock: Clock;
  readonly #earliestMs: number;
  #endMs: number;
  #timer: Timer | undefined;
  #finish: () => void = () => undefined;

  constructor(clock: Clock, { lengthMs, floorMs }: { lengthMs: number; floorMs: number }) {
    this.#clock = clock;
    const beganAtMs = clock.monotonic();
    this.#endMs = beganAtMs + lengthMs;
    this.#earliestMs = beganAtMs + Math.max(floorMs, WOKEN_PAUSE_MIN_MS);
    this.over = new Promise((resolve) => (this.#finish = resolve));
    this.#wait();
  }

  /** The network may be back. */
  cutShort(): void {
    this.#endMs = Math.min(this.#endMs, this.#earliestMs);
    this.#wait();
  }

  end(): void {
    this.#endMs = 0;
    this.#wait();
  }

  /** A timer may fire some milliseconds early: Node counts from when its loop last looked at the clock. */
  #wait(): void {
    this.#timer?.cancel();
    const leftMs = this.#endMs - this.#clock.monotonic();
    if (leftMs > 0) this.#timer = this.#clock.setTimer(leftMs, () => this.#wait());
    else this.#finish();
  }
}
