import type { ReadyFrame } from '@sanctum/protocol';
import { fullJitterMs } from '../backoff.ts';
import type { Clock, Timer } from '../clock.ts';
import type { TokenSource } from '../token-source.ts';
import type { Link } from './link.ts';

/** A token is renewed so long before its end, or after three quarters of a short life. */
const MARGIN_MS = 60_000;
const SHARE_OF_LIFE = 0.75;
/** The least pause between two renewals, however short the tokens are. */
const PAUSE_MIN_MS = 5000;
const BACKOFF = { baseMs: 2000, capMs: 60_000 };

/** Renews the token of a connection before it expires. Where that fails until the end, the server closes with 4401. */
export class Renewal {
  readonly #link: Link;
  readonly #tokens: TokenSource;
  readonly #clock: Clock;
  /** How far the server's wall clock is ahead of this one's monotonic time. */
  readonly #serverAheadMs: number;
  #token: string;
  #failures = 0;
  #timer: Timer | undefined;

  constructor(
    link: Link,
    { ready, token, tokens, clock }: { ready: ReadyFrame; token: string; tokens: TokenSource; clock: Clock },
  ) {
    this.#link = link;
    this.#token = token;
    this.#tokens = tokens;
    this.#clock = clock;
    this.#serverAheadMs = Date.parse(ready.server_time) - clock.monotonic();
    if (tokens.isRenewable) this.#schedule(ready.expires_at);
    void link.ended.then(() => this.#timer?.cancel());
  }

  /** The server took the new token. */
  accepted(expiresAt: string): void {
    this.#failures = 0;
    this.#schedule(expiresAt);
  }

  /** There is no new one, or the server refused it; the old one is still in force. */
  refused(): void {
    this.#after(fullJitterMs(this.#clock, { ...BACKOFF, failures: this.#failures++, floorMs: PAUSE_MIN_MS }));
  }

  #schedule(expiresAt: string): void {
    const lifeMs = Date.parse(expiresAt) - this.#serverAheadMs - this.#clock.monotonic();
    // A time that cannot be read is left to the server: it closes with 4401.
    if (!Number.isFinite(lifeMs)) return;
    this.#after(Math.max(PAUSE_MIN_MS, lifeMs - MARGIN_MS, lifeMs * SHARE_OF_LIFE));
  }

  #after(delayMs: number): void {
    this.#timer?.cancel();
    if (!this.#link.isOver) this.#timer = this.#clock.setTimer(delayMs, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    try {
      this.#token = await this.#tokens.renew(this.#token);
      this.#link.send({ type: 'auth', token: this.#token });
    } catch {
      this.refused();
    }
  }
}
