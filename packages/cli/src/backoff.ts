import type { Clock } from '@sanctum/messaging/clock';

/** Timers hold 31 bits; what asks for more than this is held to it. */
const FLOOR_MAX_MS = 3_600_000;

export interface BackoffBounds {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Full jitter: evenly from the floor on, over a span that doubles with each failure up to the cap. */
export function fullJitterMs(
  clock: Pick<Clock, 'random'>,
  {
    baseMs,
    capMs,
    failures,
    floorMs,
  }: BackoffBounds & { readonly failures: number; readonly floorMs: number },
): number {
  const spanMs = Math.min(capMs, baseMs * 2 ** Math.min(failures, 30));
  return Math.round(Math.min(floorMs, FLOOR_MAX_MS) + clock.random() * spanMs);
}
