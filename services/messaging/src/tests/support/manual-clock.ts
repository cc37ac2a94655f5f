import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../../clock.ts';
import { sleepBy } from './sleep-by.ts';

/** A clock that stands still until it is moved; `random()` is a half unless set. */
export class ManualClock implements Clock {
  randomValue = 0.5;
  #nowMs: number;
  readonly #startMs: number;
  readonly #timers = new Set<{ readonly dueMs: number; readonly action: () => void }>();

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
    this.#startMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs - this.#startMs;
  }

  random(): number {
    return this.randomValue;
  }

  uuid(): string {
    return randomUUID();
  }

  setTimer(delayMs: number, action: () => void): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, action };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepBy(this, { delayMs, signal });
  }

  /** Moves on by `ms`, firing what falls due in its order, and lets what that resolves run after each. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const due = [...this.#timers]
        .filter(({ dueMs }) => dueMs <= untilMs)
        .sort((a, b) => a.dueMs - b.dueMs)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.dueMs);
      due.action();
      await settle();
    }
    this.#nowMs = untilMs;
  }
}

/** Lets everything run that waits for nothing but its turn. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
