import { fullJitterMs } from './backoff.ts';
import { sleep, within, type Clock } from './clock.ts';
import { SanctumError } from './sanctum-error.ts';
import type { TokenSource } from './token-source.ts';

const ANSWER_TIMEOUT_MS = 30_000;
/** How often a question is asked before its error is the caller's. */
const QUESTION_TRIES_MAX = 5;
const QUESTION_BACKOFF = { baseMs: 200, capMs: 5000 };

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** From `/v1` on. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
}

export interface HttpOptions {
  /** As `https://chat.example`, without a slash at its end. */
  readonly baseUrl: string;
  readonly tokens: TokenSource;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Ends every call. */
  readonly signal: AbortSignal;
}

/** Calls of the HTTP interface. */
export class Http {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /**
   * One call, made once; a second time only where the token had expired and there is a newer one.
   * @throws SanctumError with the service's code, or `unreachable`, `bad_answer`, `closed`
   */
  async call<T>(call: Call): Promise<T> {
    const { tokens } = this.#options;
    const token = await tokens.current();
    try {
      return await this.#once<T>(call, token);
    } catch (error) {
      if (!(error instanceof SanctumError && error.code === 'token_expired')) throw error;
      if (!tokens.isRenewable) {
        throw new SanctumError('login_required', 'the token has expired');
      }
    }
    return this.#once<T>(call, await tokens.renew(token));
  }

  /** A call that may be repeated without harm: made again with full jitter while that may help. */
  async ask<T>(call: Call): Promise<T> {
    const { clock, signal } = this.#options;
    for (let failures = 0; ; failures++) {
      try {
        return await this.call<T>(call);
      } catch (error) {
        const isLast = failures + 1 >= QUESTION_TRIES_MAX;
        if (!(error instanceof SanctumError) || !error.retryable || isLast) throw error;
        await sleep(
          clock,
          fullJitterMs(clock, { ...QUESTION_BACKOFF, failures, floorMs: error.retryAfterMs }),
          signal,
        );
      }
    }
  }

  async #once<T>({ method, path, body }: Call, token: string): Promise<T> {
    const { baseUrl, fetch, clock, signal } = this.#options;
    let response: Response;
    let text: string;
    // `AbortSignal.any` with a signal that lives long leaves 2 kB behind for each call, in Node 20.
    const stop = new AbortController();
    try {
      const answered = fetch(baseUrl + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
        cache: 'no-store',
        redirect: 'error',
        referrerPolicy: 'no-referrer',
        signal: stop.signal,
      }).then(async (came) => [came, await came.text()] as const);
      [response, text] = await within(answered, { clock, limitMs: ANSWER_TIMEOUT_MS, signal });
    } catch (cause) {
      if (signal.aborted) throw new SanctumError('closed', 'the client was closed');
      throw new SanctumError('unreachable', `no answer to ${method} ${path}`, { cause, retryable: true });
    } finally {
      stop.abort();
    }
    const answer = parseObject(text);
    if (response.ok && (answer !== undefined || text === '')) return answer as T;
    throw refusal(response, answer);
  }
}

function refusal(response: Response, body: object = {}): SanctumError {
  const { status } = response;
  const { code, title, detail, retry_after_ms: hint } = body as Record<string, unknown>;
  // A proxy knows only `Retry-After`.
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  const retryAfterMs =
    typeof hint === 'number' && hint >= 0 ? hint : seconds > 0 ? seconds * 1000 : undefined;
  // Whatever it is called: a newer service has codes that are not known here.
  if (typeof code === 'string') {
    const words = [title, detail].filter((word) => typeof word === 'string').join(': ');
    // The next token may be newer.
    const retryable = status === 429 || status >= 500 || code === 'token_expired';
    return new SanctumError(code, words || code, { retryable, retryAfterMs });
  }
  // No verdict of the service, which may be reached later; but a proxy's bound would be met again.
  return status === 413
    ? new SanctumError('payload_too_large', 'a proxy says so')
    : new SanctumError('bad_answer', `status ${status}`, { retryable: true, retryAfterMs });
}

/** The object that a JSON text holds, or undefined. */
export function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
