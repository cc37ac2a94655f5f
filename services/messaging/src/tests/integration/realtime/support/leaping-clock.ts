import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../../../../clock.ts';
import { sleepBy } from '../../../support/sleep-by.ts';

interface PendingTimer {
  readonly dueAt: number;
  readonly fire: () => void;
  handle: NodeJS.Timeout;
}

/**
 * The system's clock, which a test can move ahead. A pod lives on it as usual; `leap` makes everything that falls
 * due in between happen now, one after another, at the time it was set for. So five seconds of patience cost a
 * test nothing.
 */
export class LeapingClock implements Clock {
  #aheadMs = 0;
  readonly #timers = new Set<PendingTimer>();

  now(): number {
    return Math.floor(Date.now() + this.#aheadMs);
  }

  monotonic(): number {
    return performance.now() + this.#aheadMs;
  }

  random(): number {
    return Math.random();
  }

  uuid(): string {
    return randomUUID();
  }

  setTimer(delayMs: number, action: () => void): Timer {
    const timer: PendingTimer = {
      dueAt: this.monotonic() + delayMs,
      fire: () => {
        this.#remove(timer);
        action();
      },
      handle: this.#arm(delayMs, () => timer.fire()),
    };
    this.#timers.add(timer);
    return { cancel: () => this.#remove(timer) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepBy(this, { delayMs, signal });
  }

  /** Moves on by `ms`. What waits for Postgres, Redis or a socket meanwhile goes on afterwards. */
  async leap(ms: number): Promise<void> {
    const until = this.monotonic() + ms;
    await turn();
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#moveTo(next.dueAt);
      next.fire();
      await turn();
    }
    this.#moveTo(until);
    for (const timer of this.#timers) {
      clearTimeout(timer.handle);
      timer.handle = this.#arm(timer.dueAt - until, timer.fire);
    }
  }

  #next(until: number): PendingTimer | undefined {
    let next: PendingTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAt <= until && (next === undefined || timer.dueAt < next.dueAt)) next = timer;
    }
    return next;
  }

  #moveTo(monotonic: number): void {
    this.#aheadMs += Math.max(0, monotonic - this.monotonic());
  }

  #arm(delayMs: number, fire: () => void): NodeJS.Timeout {
    const handle = setTimeout(fire, Math.max(0, delayMs));
    handle.unref();
    return handle;
  }

  #remove(timer: PendingTimer): void {
    clearTimeout(timer.handle);
    this.#timers.delete(timer);
  }
}

/** Lets everything run that waits for nothing but its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
