import type { Clock } from './clock.ts';

/** Lets a loop wait for a time or for a word, whichever comes first. A word said while nobody waits is kept. */
export class Latch {
  #said = false;
  #wake: (() => void) | undefined;

  say(): void {
    this.#said = true;
    this.#wake?.();
  }

  /** Resolves at the next `say()`, at once if there was one since the last wait, or after `delayMs`. */
  wait(clock: Clock, delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        timer?.cancel();
        this.#wake = undefined;
        this.#said = false;
        resolve();
      };
      if (this.#said) {
        this.#said = false;
        return resolve();
      }
      const timer = clock.setTimer(delayMs, done);
      this.#wake = done;
    });
  }
}
