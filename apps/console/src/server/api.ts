import { ApiError, apiError, unreachable } from './api-error.ts';
import { readEvents } from './event-stream.ts';
import { Silence } from './silence.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

const TIMEOUT_MS = 15_000;

/**
 * An event comes each second, whether or not anything has changed. Where none comes for so long, the other end is
 * gone: nothing else tells of that when a network or a pod went without a word.
 */
const SILENCE_MAX_MS = 10_000;

/** The admin API as the holder of one token. Failures are `ApiError`s; an abort stays an abort. */
export class Api {
  readonly #token: string;
  readonly #onLoginOver: (error: ApiError) => void;

  constructor(token: string, onLoginOver: (error: ApiError) => void) {
    this.#token = token;
    this.#onLoginOver = onLoginOver;
  }

  async get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
    return this.#json<T>(path + queryText(query), withTimeout(signal));
  }

  async send<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    return this.#json<T>(path, { method, ...init, ...withTimeout() });
  }

  /**
   * Server-sent events. Ends when the server ends it, throws when it breaks or falls silent. (`EventSource` can carry
   * no token.)
   */
  async events(path: string, signal: AbortSignal, onEvent: (data: string) => void): Promise<void> {
    const silence = new Silence(SILENCE_MAX_MS);
    const init = {
      signal: AbortSignal.any([signal, silence.signal]),
      headers: { accept: 'text/event-stream' },
    };
    try {
      const response = await this.#fetch(path, init);
      if (response.body === null) return;
      await readEvents(response.body, onEvent, () => silence.broken());
    } catch (error) {
      throw signal.aborted || error instanceof ApiError ? error : unreachable();
    } finally {
      silence.end();
    }
  }

  async #json<T>(path: string, init: RequestInit): Promise<T> {
    const response = await this.#fetch(path, init);
    try {
      return (await response.json()) as T;
    } catch (error) {
      // The answer began and did not end, or is no JSON.
      throw failureOf(error, init);
    }
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${this.#token}`);
    if (init.body !== undefined) headers.set('content-type', 'application/json');
    let response: Response;
    try {
      response = await fetch(`admin/v1/${path}`, { ...init, headers, cache: 'no-store' });
    } catch (error) {
      throw failureOf(error, init);
    }
    if (response.ok) return response;
    const error = apiError(response.status, await response.json().catch(() => undefined));
    if (error.endsLogin) this.#onLoginOver(error);
    throw error;
  }
}

function withTimeout(signal?: AbortSignal): { signal: AbortSignal } {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  return { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) };
}

/** Whoever gave up knows why; anything else is the other end's silence. */
function failureOf(error: unknown, { signal }: RequestInit): unknown {
  return signal?.aborted === true && !isTimeout(signal) ? error : unreachable();
}

function isTimeout(signal: AbortSignal): boolean {
  return signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError';
}

function queryText(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, String(value)]],
  );
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`;
}
