import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { follow, type Live } from '../pipeline/use-live-pipeline.ts';
import { Api } from './api.ts';

const SECOND = 1000;

/** What the page has asked for, oldest first: each request stays open until the page gives it up. */
const asked: Connection[] = [];

class Connection {
  readonly #signal: AbortSignal;
  readonly #answer: (response: Response) => void;
  #body: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(signal: AbortSignal, answer: (response: Response) => void) {
    this.#signal = signal;
    this.#answer = answer;
  }

  get givenUp(): boolean {
    return this.#signal.aborted;
  }

  open(): void {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#body = controller) });
    this.#signal.addEventListener('abort', () => this.#body?.error(this.#signal.reason));
    this.#answer(new Response(body));
  }

  break(): void {
    this.#body?.error(new TypeError('network error'));
  }

  send(text: string): void {
    this.#body?.enqueue(new TextEncoder().encode(text));
  }
}

let live: Live;
let page: AbortController;
let followed: Promise<void>;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('fetch', (_address: string, { signal }: { signal: AbortSignal }) => {
    return new Promise<Response>((answer, fail) => {
      asked.push(new Connection(signal, answer));
      signal.addEventListener('abort', () => fail(signal.reason as DOMException));
    });
  });
  live = {};
  page = new AbortController();
  const api = new Api('a token', () => undefined);
  followed = follow(api, page.signal, (change) => (live = change(live)));
});
afterEach(async () => {
  page.abort();
  await vi.runAllTimersAsync();
  await followed;
  asked.length = 0;
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test('a connection that has fallen silent is given up, and the page asks again', async () => {
  asked[0]?.open();
  asked[0]?.send('data: {}\n\n');
  await vi.advanceTimersByTimeAsync(9 * SECOND);
  expect(live).toMatchObject({ pipeline: {} });
  expect(asked.map(({ givenUp }) => givenUp)).toEqual([false]);
  await vi.advanceTimersByTimeAsync(2 * SECOND);
  expect(asked.map(({ givenUp }) => givenUp)).toEqual([true, false]);
  expect(live.error?.code).toBe('unreachable');
  asked[1]?.open();
  asked[1]?.send('data: {}\n\n');
  await vi.advanceTimersByTimeAsync(0);
  expect(live.error).toBeUndefined();
});

test('so is a question that nobody answers', async () => {
  await vi.advanceTimersByTimeAsync(11 * SECOND);
  expect(asked.map(({ givenUp }) => givenUp)).toEqual([true, false]);
  expect(live.error?.code).toBe('unreachable');
});

test('a connection on which anything comes is kept', async () => {
  asked[0]?.open();
  for (let i = 0; i < 10; i++) {
    asked[0]?.send(': still here\n\n');
    await vi.advanceTimersByTimeAsync(9 * SECOND);
  }
  expect(asked.map(({ givenUp }) => givenUp)).toEqual([false]);
});

test('a page that is left asks no more, and has no failure', async () => {
  asked[0]?.open();
  page.abort();
  await vi.advanceTimersByTimeAsync(60 * SECOND);
  await followed;
  expect(asked).toHaveLength(1);
  expect(live).toEqual({});
});

test.each([
  ['breaks', () => asked[1]?.break()],
  ['takes too long', (timeout: AbortController) => timeout.abort(new DOMException('', 'TimeoutError'))],
])('an answer that begins and %s is none', async (_how, fail) => {
  const timeout = new AbortController();
  vi.spyOn(AbortSignal, 'timeout').mockReturnValue(timeout.signal);
  const answer = expect(new Api('a token', () => undefined).get('partitions')).rejects.toMatchObject({
    code: 'unreachable',
  });
  asked[1]?.open();
  asked[1]?.send('{"partitions": [');
  await vi.advanceTimersByTimeAsync(0);
  fail(timeout);
  await answer;
});

test('whoever gives up a question while it is answered is told nothing else', async () => {
  const gone = new AbortController();
  const answer = new Api('a token', () => undefined).get('partitions', {}, gone.signal);
  asked[1]?.open();
  asked[1]?.send('{');
  gone.abort();
  await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
});
