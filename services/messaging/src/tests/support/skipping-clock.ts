import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../../clock.ts';
import { sleepBy } from './sleep-by.ts';

/**
 * The system's clock, which a test can also move ahead: what falls due meanwhile fires at once, the rest comes
 * nearer. Beside real servers a clock that stands still would stop nothing that matters.
 */
export class SkippingClock implements Clock {
  #skippedMs = 0;
  readonly #timers = new Set<SkippableTimer>();

  now(): number {
    return Date.now() + this.#skippedMs;
  }

  monotonic(): number {
    return performance.now() + this.#skippedMs;
  }

  random(): number {
    return Math.random();
  }

  uuid(): string {
    return randomUUID();
  }

  setTimer(delayMs: number, action: () => void): Timer {
    const timer: SkippableTimer = {
      dueAt: this.monotonic() + delayMs,
      handle: undefined,
      fire: () => {
        if (this.#timers.delete(timer)) action();
      },
    };
    this.#timers.add(timer);
    this.#arm(timer);
    return {
      cancel: () => {
        clearTimeout(timer.handle);
        this.#timers.delete(timer);
      },
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepBy(this, { delayMs, signal });
  }

  /** Moves ahead by `ms` and fires what has fallen due, in its order. */
  skip(ms: number): void {
    this.#skippedMs += ms;
    const inOrder = [...this.#timers].sort((a, b) => a.dueAt - b.dueAt);
    for (const timer of inOrder) {
      clearTimeout(timer.handle);
      if (timer.dueAt <= this.monotonic()) timer.fire();
      else this.#arm(timer);
    }
  }

  #arm(timer: SkippableTimer): void {
    timer.handle = setTimeout(timer.fire, Math.max(0, timer.dueAt - this.monotonic()));
    timer.handle.unref();
  }
}

interface SkippableTimer {
  readonly dueAt: number;
  handle: NodeJS.Timeout | undefined;
  readonly fire: () => void;
}
