import type { Clock } from '../../clock.ts';

/** What one user may ask for: so many at once, and so many a second from then on. */
export interface RateLimit {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * A token bucket for each user, in the memory of this pod. Of a bucket only the moment is kept at which it will be
 * full again: who is not known has a full one, so nothing is lost with a user who has been idle that long.
 */
export class UserRates {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #burstMs: number;
  readonly #usersMax: number;
  /** In the order of the last request, the longest idle first. */
  readonly #fullAt = new Map<string, number>();

  constructor(clock: Clock, { burst, perSecond }: RateLimit, usersMax: number) {
    this.#clock = clock;
    this.#intervalMs = 1000 / perSecond;
    this.#burstMs = burst * this.#intervalMs;
    this.#usersMax = usersMax;
  }

  /** 0: go on; else the milliseconds after which there is room again. A refused request costs nothing. */
  take(userId: string): number {
    const now = this.#clock.monotonic();
    const fullAt = Math.max(now, this.#fullAt.get(userId) ?? 0) + this.#intervalMs;
    const waitMs = fullAt - this.#burstMs - now;
    // A thousandth of a request: sums of fractions are not exact.
    if (waitMs > this.#intervalMs / 1000) return Math.ceil(waitMs);
    this.#fullAt.delete(userId);
    this.#fullAt.set(userId, fullAt);
    this.#forgetIdle(now);
    return 0;
  }

  /** A few at a time, from the longest idle; with too many users at once, the longest idle starts anew. */
  #forgetIdle(now: number): void {
    for (const [userId, fullAt] of this.#fullAt) {
      if (fullAt > now && this.#fullAt.size <= this.#usersMax) return;
      this.#fullAt.delete(userId);
    }
  }

  /** Users that are remembered now. */
  get size(): number {
    return this.#fullAt.size;
  }
}
