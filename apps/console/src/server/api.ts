import { type ApiError, apiError, unreachable } from './api-error.ts';
import { readEvents } from './event-stream.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

const TIMEOUT_MS = 15_000;

/** The admin API as the holder of one token. Failures are `ApiError`s; an abort stays an abort. */
export class Api {
  readonly #token: string;
  readonly #onLoginOver: (error: ApiError) => void;

  constructor(token: string, onLoginOver: (error: ApiError) => void) {
    this.#token = token;
    this.#onLoginOver = onLoginOver;
  }

  async get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
    const response = await this.#fetch(path + queryText(query), withTimeout(signal));
    return (await response.json()) as T;
  }

  async send<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await this.#fetch(path, { method, ...init, ...withTimeout() });
    return (await response.json()) as T;
  }

  /** Server-sent events. Ends when the server ends it, throws when it breaks. (`EventSource` can carry no token.) */
  async events(path: string, signal: AbortSignal, onEvent: (data: string) => void): Promise<void> {
    const response = await this.#fetch(path, { signal, headers: { accept: 'text/event-stream' } });
    if (response.body === null) return;
    try {
      await readEvents(response.body, onEvent);
    } catch (error) {
      throw signal.aborted ? error : unreachable();
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
      throw init.signal?.aborted === true && !isTimeout(init.signal) ? error : unreachable();
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

function isTimeout(signal: AbortSignal): boolean {
  return signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError';
}

function queryText(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, String(value)]],
  );
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`;
}
