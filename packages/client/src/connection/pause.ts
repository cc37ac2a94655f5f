import type { Clock, Timer } from '../clock.ts';

/** However often the network is said to be back, tries are at least so far apart. */
export const WOKEN_PAUSE_MIN_MS = 1000;

/** The wait before the next try. Good news cut it short, though never below the floor that the server asked for. */
export class Pause {
  readonly over: Promise<void>;
  readonly #clock: Clock;
  readonly #beganAtMs: number;
  readonly #leastMs: number;
  #timer: Timer | undefined;
  #finish: () => void = () => undefined;

  constructor(clock: Clock, { lengthMs, floorMs }: { lengthMs: number; floorMs: number }) {
    this.#clock = clock;
    this.#beganAtMs = clock.monotonic();
    this.#leastMs = Math.min(lengthMs, Math.max(floorMs, WOKEN_PAUSE_MIN_MS));
    this.over = new Promise((resolve) => (this.#finish = resolve));
    this.#timer = clock.setTimer(lengthMs, this.#finish);
  }

  /** The network may be back. */
  cutShort(): void {
    this.#timer?.cancel();
    const leftMs = this.#beganAtMs + this.#leastMs - this.#clock.monotonic();
    if (leftMs <= 0) this.#finish();
    else this.#timer = this.#clock.setTimer(leftMs, this.#finish);
  }

  end(): void {
    this.#timer?.cancel();
    this.#finish();
  }
}
