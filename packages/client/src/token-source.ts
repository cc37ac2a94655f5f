import { within, type Clock } from './clock.ts';
import { SanctumError } from './sanctum-error.ts';

/**
 * A token, or what gets one: called whenever a newer one is needed, and not again before it has answered or taken 30 s.
 * Where it throws it is called again after a pause; with a `SanctumError` of code `login_required` it ends the session
 * instead. It must throw that, too, where the session is not `userId`'s any more: what waits to be sent would go out in
 * somebody else's name. An answer that is no token ends the session, so it looks at `response.ok` first.
 */
export type TokenOption = string | (() => string | Promise<string>);

/** A callback that has not answered by then is taken for failed. */
const TOKEN_TIMEOUT_MS = 30_000;

/** Holds the token in use, and gets the next one by the application's callback. */
export class TokenSource {
  readonly #option: TokenOption;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  #current: string | undefined;
  #pending: Promise<string> | undefined;

  /** @param signal ends the waiting for a callback */
  constructor(option: TokenOption, clock: Clock, signal?: AbortSignal) {
    this.#option = option;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Whether asking again may bring another token. */
  get isRenewable(): boolean {
    return typeof this.#option === 'function';
  }

  /** The token in use. @throws SanctumError `login_required` where the callback fails; retryable unless it says so */
  async current(): Promise<string> {
    return this.#current ?? this.renew();
  }

  /**
   * A new token in the place of `old`. Where somebody else has renewed it meanwhile, no second one is asked for.
   * @throws as `current`
   */
  async renew(old?: string): Promise<string> {
    if (this.#current !== undefined && old !== undefined && this.#current !== old) return this.#current;
    this.#pending ??= this.#ask().finally(() => (this.#pending = undefined));
    return this.#pending;
  }

  async #ask(): Promise<string> {
    const option = this.#option;
    const token = typeof option === 'string' ? option : await this.#within(option);
    if (typeof token !== 'string' || token === '') throw failed('returned no token');
    return (this.#current = token);
  }

  async #within(callback: () => string | Promise<string>): Promise<string> {
    const late = failed('did not answer');
    const signal = this.#signal;
    try {
      // A callback may throw at once, too.
      const answer = Promise.resolve().then(callback);
      return await within(answer, { clock: this.#clock, limitMs: TOKEN_TIMEOUT_MS, signal, late });
    } catch (error) {
      throw failed('failed', error);
    }
  }
}

function failed(how: string, cause?: unknown): SanctumError {
  if (cause instanceof SanctumError) return cause;
  return new SanctumError('login_required', `the token callback ${how}`, { cause, retryable: true });
}
