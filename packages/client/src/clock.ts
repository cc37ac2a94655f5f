/** A timer that can be stopped; stopping it twice, or after it fired, is harmless. */
export interface Timer {
  cancel(): void;
}

/** Time and randomness, handed in so that a test can move them. */
export interface Clock {
  /** Wall time, in milliseconds since 1970. May jump. */
  now(): number;
  /** Milliseconds that never go back; only differences mean anything. */
  monotonic(): number;
  /** A number in [0, 1). */
  random(): number;
  /** Calls `action` once after `delayMs`. */
  setTimer(delayMs: number, action: () => void): Timer;
}

/** `setTimeout` holds 31 bits and fires at once above them. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  setTimer(delayMs, action) {
    const timer = setTimeout(action, Math.min(delayMs, TIMER_MAX_MS));
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Resolves after `delayMs`, or at once when `signal` is aborted; never rejects. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  const never = new Promise<void>(() => undefined);
  return within(never, { clock, limitMs: delayMs, signal }).catch(() => undefined);
}

/**
 * Waits for a promise, but no longer than `limitMs`, nor once `signal` is aborted.
 * @throws what the promise throws, the signal's reason, or `late`, which names no more unless given
 */
export async function within<T>(
  promise: Promise<T>,
  {
    clock,
    limitMs,
    signal,
    late = new Error('late'),
  }: { clock: Clock; limitMs: number; signal?: AbortSignal | undefined; late?: Error },
): Promise<T> {
  let end: () => void = () => undefined;
  const ended = new Promise<never>((_, reject) => {
    const timer = clock.setTimer(limitMs, () => reject(late));
    const leave = () => reject(signal?.reason as Error);
    signal?.addEventListener('abort', leave);
    if (signal?.aborted) leave();
    end = () => {
      timer.cancel();
      signal?.removeEventListener('abort', leave);
    };
  });
  return Promise.race([promise, ended]).finally(() => end());
}
