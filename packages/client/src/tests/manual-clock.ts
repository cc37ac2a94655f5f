import type { Clock, Timer } from '../clock.ts';

interface Waiting {
  readonly atMs: number;
  readonly action: () => void;
}

/** Lets everything that is ready to run, run: promises, and what they start. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A clock that a test moves. Both of its times go together, unless a test makes the machine sleep. */
export class ManualClock implements Clock {
  /** What `random` gives. */
  draw: () => number = () => 0;
  #wallMs = Date.UTC(2025, 1, 3);
  #monotonicMs = 0;
  readonly #timers = new Set<Waiting>();

  /** Timers that would still fire. */
  get waiting(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  random(): number {
    return this.draw();
  }

  setTimer(delayMs: number, action: () => void): Timer {
    // As the timers of Node and of browsers do with what is no delay.
    const timer = { atMs: this.#monotonicMs + (delayMs > 0 ? delayMs : 1), action };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Time passes; timers fire in their order, and what they start has its turn before the next. */
  async advance(ms: number): Promise<void> {
    await settle();
    const endMs = this.#monotonicMs + ms;
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#timers.delete(next);
      this.#moveTo(Math.max(this.#monotonicMs, next.atMs));
      next.action();
      await settle();
    }
    this.#moveTo(endMs);
    await settle();
  }

  /** The machine sleeps: the wall clock goes on, timers and the monotonic clock stand still. */
  sleepMachine(ms: number): void {
    this.#wallMs += ms;
  }

  /** Whoever calls it has worked for so long. */
  spend(ms: number): void {
    this.#moveTo(this.#monotonicMs + ms);
  }

  #next(endMs: number): Waiting | undefined {
    let next: Waiting | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs <= endMs && timer.atMs < (next?.atMs ?? Infinity)) next = timer;
    }
    return next;
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}
