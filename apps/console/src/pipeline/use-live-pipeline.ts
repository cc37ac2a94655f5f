import type { Pipeline } from '@sanctum/protocol/admin';
import { useEffect, useState } from 'preact/hooks';
import type { ApiError } from '../server/api-error.ts';
import type { Api } from '../server/api.ts';
import { inWords } from '../ui/hooks.ts';

/** The pipeline as last heard of, and when. */
export interface Live {
  readonly pipeline?: Pipeline;
  readonly receivedMs?: number;
  /** Why there are no news; gone with the next ones. */
  readonly error?: ApiError;
}

/** The server sends one each second; after this long without any the figures are called old. */
export const STALE_AFTER_MS = 5_000;

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 5_000;

/** Follows the pipeline for as long as the page is open, and asks again whenever the stream breaks. */
export function useLivePipeline(api: Api): Live {
  const [live, setLive] = useState<Live>({});
  useEffect(() => {
    const abort = new AbortController();
    void follow(api, abort.signal, setLive);
    return () => abort.abort();
  }, [api]);
  return live;
}

/** Until `signal` is aborted. */
export async function follow(
  api: Pick<Api, 'events'>,
  signal: AbortSignal,
  set: (change: (before: Live) => Live) => void,
): Promise<void> {
  let waitMs = RETRY_FIRST_MS;
  while (!signal.aborted) {
    try {
      await api.events('pipeline/stream', signal, (data) => {
        waitMs = RETRY_FIRST_MS;
        const pipeline = JSON.parse(data) as Pipeline;
        set(() => ({ pipeline, receivedMs: Date.now() }));
      });
    } catch (error) {
      if (signal.aborted) return;
      set((before) => ({ ...before, error: inWords(error) }));
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    waitMs = Math.min(waitMs * 2, RETRY_MAX_MS);
  }
}
