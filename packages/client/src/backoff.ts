import type { Clock } from './clock.ts';

/** No two tries are nearer to each other than this, whatever was drawn and whoever asked for haste. */
export const PAUSE_MIN_MS = 100;
/** A server that asks for a longer pause is held to this one. */
const FLOOR_MAX_MS = 3_600_000;

export interface BackoffBounds {
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * Full jitter: evenly from the floor on, over a span that doubles with each failure up to the cap; in
 * milliseconds, and never below `PAUSE_MIN_MS`.
 */
export function fullJitterMs(
  clock: Pick<Clock, 'random'>,
  {
    baseMs,
    capMs,
    failures,
    floorMs,
  }: BackoffBounds & { readonly failures: number; readonly floorMs?: number | undefined },
): number {
  const spanMs = Math.min(capMs, baseMs * 2 ** failures);
  // A server may say what is no time at all.
  const leastMs = floorMs! > 0 ? Math.min(floorMs!, FLOOR_MAX_MS) : 0;
  return Math.max(PAUSE_MIN_MS, Math.round(leastMs + clock.random() * spanMs));
}
