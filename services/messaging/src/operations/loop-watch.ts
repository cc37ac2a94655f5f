import type { Clock } from '../clock.ts';

/** A loop without a sign of life for so long is stuck: every wait in it is bounded by far less. */
const PATIENCE_MS = 15_000;

/** Whether this pod's loops are alive: each says so in every round. */
export class LoopWatch {
  readonly #clock: Clock;
  readonly #seenAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What the loop calls in every round. Watched from now on. */
  watch(loop: string): () => void {
    const sign = () => void this.#seenAt.set(loop, this.#clock.monotonic());
    sign();
    return sign;
  }

  /** Names of loops that make no progress. */
  stuck(): string[] {
    const now = this.#clock.monotonic();
    return [...this.#seenAt].filter(([, seenAt]) => now - seenAt > PATIENCE_MS).map(([loop]) => loop);
  }
}
