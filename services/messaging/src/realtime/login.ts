import type { Clock, Timer } from '../clock.ts';
import type { RefusedToken, TokenVerifier, VerifiedToken } from './token.ts';

/** Timers hold 31 bits: a token that lives longer than 24 days is looked at again then. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Whom a session speaks for, and until when. */
export class Login {
  token: VerifiedToken | undefined;
  readonly #verifier: TokenVerifier;
  readonly #clock: Clock;
  readonly #onExpired: () => void;
  #expiry: Timer | undefined;
  #isOver = false;

  constructor(options: { verifier: TokenVerifier; clock: Clock; onExpired: () => void }) {
    this.#verifier = options.verifier;
    this.#clock = options.clock;
    this.#onExpired = options.onExpired;
  }

  /** Takes a token; undefined: it is good. A renewal must be of the same user, and a bad one leaves the old. */
  async take(token: string | undefined): Promise<RefusedToken['code'] | undefined> {
    const result = await this.#verifier.verify(token);
    if (!result.ok) return result.code;
    if (this.token !== undefined && result.userId !== this.token.userId) return 'token_invalid';
    if (!this.#isOver) this.#accept(result);
    return undefined;
  }

  end(): void {
    this.#isOver = true;
    this.#expiry?.cancel();
  }

  #accept(token: VerifiedToken): void {
    this.token = token;
    this.#expiry?.cancel();
    const leftMs = Math.min(token.expiresAt - this.#clock.now(), TIMER_MAX_MS);
    this.#expiry = this.#clock.setTimer(Math.max(0, leftMs), () => {
      if (token.expiresAt > this.#clock.now()) this.#accept(token);
      else this.#onExpired();
    });
  }
}
