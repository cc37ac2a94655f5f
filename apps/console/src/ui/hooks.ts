import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../server/api-error.ts';
import { type Answer, answerTo, failed } from './answer.ts';

export interface Loaded<T> {
  /** Of the present question, never of another one. */
  readonly data: T | undefined;
  /** Why the last attempt failed; what the same question had brought before stays. */
  readonly error: ApiError | undefined;
  reload(): void;
}

/**
 * Loads when `key` changes, and anew on `reload`, every `everyMs` while the page is seen, and when `again` changes.
 * The key says what is asked: with another one everything is gone at once, while anew the same question keeps what
 * it has. Only the answer to the latest question counts. An undefined key asks nothing.
 */
export function useLoad<T>(
  key: string | undefined,
  load: (signal: AbortSignal) => Promise<T>,
  everyMs?: number,
  again?: number,
): Loaded<T> {
  const [last, setLast] = useState<Answer<T>>({});
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  const busy = useRef(false);
  useEffect(() => {
    if (key === undefined) return;
    const abort = new AbortController();
    busy.current = true;
    latest.current(abort.signal).then(
      (data) => {
        if (abort.signal.aborted) return;
        busy.current = false;
        setLast({ key, data });
      },
      (error: unknown) => {
        if (abort.signal.aborted) return;
        busy.current = false;
        setLast((before) => failed(before, key, inWords(error)));
      },
    );
    return () => abort.abort();
  }, [key, turn, again]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  // A question that takes longer than the interval is not asked again before it was answered.
  const renew = useCallback(() => {
    if (!busy.current) reload();
  }, [reload]);
  useEvery(everyMs, renew);
  const { data, error } = answerTo(last, key);
  return { data, error, reload };
}

/** The latest that was known about a thing: what no page and no filter changes stays while another list loads. */
export function useKept<T>(about: string, now: T | undefined): T | undefined {
  const kept = useRef<{ readonly about: string; readonly is: T }>(undefined);
  if (now !== undefined) kept.current = { about, is: now };
  return kept.current?.about === about ? kept.current.is : undefined;
}

/** Whatever was thrown, as something that can be shown. */
export function inWords(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError('page', `The page failed: ${String(error)}`);
}

/** Calls back regularly, but not in a tab that nobody sees. */
function useEvery(everyMs: number | undefined, call: () => void): void {
  useEffect(() => {
    if (everyMs === undefined) return;
    const timer = setInterval(() => {
      if (!document.hidden) call();
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs, call]);
}

/** The time, renewed every second: ages on the page grow by themselves. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** The part of the address behind `#`: `name?query`. */
export interface Route {
  readonly name: string;
  readonly query: URLSearchParams;
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  // Before it is seen: whatever is followed from then on is heard of.
  useLayoutEffect(() => {
    const changed = (): void => setHash(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  const [name = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  return { name, query: new URLSearchParams(query) };
}
