import { randomUUID } from 'node:crypto';
import type { Clock, Timer } from '@sanctum/messaging/clock';

/**
 * A clock that a test moves. Sleeps are noted and end at once, so that nothing waits; timers fire only by
 * `advance`.
 */
export class ManualClock implements Clock {
  /** How long each `sleep` was asked to be, in order. */
  readonly slept: number[] = [];
  #nowMs: number;
  readonly #randomValue: number;
  readonly #timers = new Set<{ atMs: number; action: () => void }>();

  constructor({ nowMs = Date.UTC(2025, 1, 3), random = 0 }: { nowMs?: number; random?: number } = {}) {
    this.#nowMs = nowMs;
    this.#randomValue = random;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  uuid(): string {
    return randomUUID();
  }

  setTimer(delayMs: number, action: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, action };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  async sleep(delayMs: number): Promise<void> {
    this.slept.push(delayMs);
  }

  random(): number {
    return this.#randomValue;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const timer of [...this.#timers]) {
      if (timer.atMs > this.#nowMs || !this.#timers.delete(timer)) continue;
      timer.action();
    }
  }
}
