import type { StorageTransaction } from './storage.ts';

/** One write: a value, or undefined where the key goes. */
export type Write = readonly [key: string, value: unknown];

/** Gathers the writes of a transaction, so that they can be committed in one go. */
export class BufferedTransaction implements StorageTransaction {
  readonly #writes = new Map<string, unknown>();
  #isOver = false;

  /** @throws TypeError for undefined, which is no JSON, and after the transaction is over */
  put(key: string, value: unknown): void {
    if (value === undefined) throw new TypeError(`the value of ${key} is undefined: use delete`);
    this.#set(key, value);
  }

  delete(key: string): void {
    this.#set(key, undefined);
  }

  /** Does the work of it; where that fails the transaction is over, too. */
  async run(work: (tx: this) => void | Promise<void>): Promise<void> {
    try {
      await work(this);
    } catch (error) {
      this.#isOver = true;
      throw error;
    }
  }

  /** Ends it. A listener that writes later, because it was not awaited, gets an error rather than silence. */
  finish(): readonly Write[] {
    this.#isOver = true;
    return [...this.#writes];
  }

  #set(key: string, value: unknown): void {
    if (this.#isOver) throw new TypeError('the transaction is over: was a promise not awaited?');
    this.#writes.set(key, value);
  }
}
