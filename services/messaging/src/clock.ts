import { randomUUID } from 'node:crypto';

/** A timer that can be stopped; stopping it twice, or after it fired, is harmless. */
export interface Timer {
  cancel(): void;
}

/**
 * Time and randomness, handed in so that a seed can reproduce a whole run.
 * No stage reads the time, waits or draws a random number in any other way.
 */
export interface Clock {
  /** Wall time, in milliseconds since the Unix epoch. May jump. */
  now(): number;
  /** Milliseconds that never go back; only differences mean anything. */
  monotonic(): number;
  /** Calls `action` once after `delayMs`. A running timer does not keep the process alive. */
  setTimer(delayMs: number, action: () => void): Timer;
  /** Resolves after `delayMs`, or at once when `signal` is aborted; never rejects. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** A number in [0, 1). */
  random(): number;
  /** A new id, lower-case, of version 4. */
  uuid(): string;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  sleep(delayMs, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, delayMs);
      signal?.addEventListener('abort', done, { once: true });
    });
  },
  random: () => Math.random(),
  uuid: () => randomUUID(),
};

/** A delay drawn evenly from [half, whole] of `delayMs`: many pods do not act at the same moment. */
export function jittered(clock: Clock, delayMs: number): number {
  return delayMs * (0.5 + clock.random() / 2);
}
