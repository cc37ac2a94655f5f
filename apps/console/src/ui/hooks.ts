import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../server/api-error.ts';

export interface Loaded<T> {
  readonly data: T | undefined;
  /** Why the last attempt failed; what was there before stays. */
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  reload(): void;
}

/**
 * Loads when `key` changes, on `reload`, and every `everyMs` while the page is seen. Only the answer to the
 * latest question counts. An undefined key asks nothing.
 */
export function useLoad<T>(
  key: string | undefined,
  load: (signal: AbortSignal) => Promise<T>,
  everyMs?: number,
): Loaded<T> {
  const [state, setState] = useState<{ key?: string | undefined; data?: T; error?: ApiError }>({});
  const [loading, setLoading] = useState(false);
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  const busy = useRef(false);
  useEffect(() => {
    if (key === undefined) return;
    const abort = new AbortController();
    setLoading(true);
    busy.current = true;
    latest.current(abort.signal).then(
      (data) => {
        busy.current = false;
        setState({ key, data });
        setLoading(false);
      },
      (error: unknown) => {
        if (abort.signal.aborted) return;
        busy.current = false;
        setState((before) => ({ ...before, error: inWords(error) }));
        setLoading(false);
      },
    );
    return () => abort.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  // A question that takes longer than the interval is not asked again before it was answered.
  const renew = useCallback(() => {
    if (!busy.current) reload();
  }, [reload]);
  useEvery(everyMs, renew);
  return { data: key === undefined ? undefined : state.data, error: state.error, loading, reload };
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
  useEffect(() => {
    const changed = (): void => setHash(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  const [name = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  return { name, query: new URLSearchParams(query) };
}
