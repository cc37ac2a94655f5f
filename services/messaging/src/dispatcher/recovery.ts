import { jittered, type Clock } from '../clock.ts';

const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1_000;

/**
 * Whether the dispatcher may work.
 *
 *   well ── failed() ──▶ resting ── the back-off has passed, and Redis answers ──▶ trying ── succeeded() ──▶ well
 *                           ▲                                                        │
 *                           └────────────────────── failed() ────────────────────────┘
 *
 * resting: nothing is claimed, so no transaction is open and no attempt is spent. trying: one bucket at a time,
 * since an answered ping proves little (out of memory, Redis still answers it); the back-off keeps growing
 * until something has succeeded.
 */
export class Recovery {
  readonly #clock: Clock;
  #state: 'well' | 'resting' | 'trying' = 'well';
  #failures = 0;
  #retryAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get state(): 'well' | 'resting' | 'trying' {
    return this.#state;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Resting for long enough to look again. */
  get due(): boolean {
    return this.#state === 'resting' && this.#clock.monotonic() >= this.#retryAt;
  }

  failed(): void {
    // Lanes that were under way when the first one failed say nothing new.
    if (this.#state === 'resting' && !this.due) return;
    const delayMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#retryAt = this.#clock.monotonic() + jittered(this.#clock, delayMs);
    this.#state = 'resting';
  }

  answered(): void {
    if (this.#state === 'resting') this.#state = 'trying';
  }

  succeeded(): void {
    if (this.#state === 'resting') return;
    this.#state = 'well';
    this.#failures = 0;
  }
}
