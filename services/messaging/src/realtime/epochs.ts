import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ReaderLog } from '../ports.ts';

/**
 * The log's epoch as this pod knows it. A restore rewinds the log, and the operator raises the epoch before the
 * first pod starts again: what was built on the old one (tips, rings, cursors in sockets) is void.
 */
export class Epochs {
  #current: number;
  readonly #reader: Pick<ReaderLog, 'readEpoch'>;
  readonly #log: Log;
  #listeners: (() => void)[] = [];

  constructor(options: { current: number; reader: Pick<ReaderLog, 'readEpoch'>; log: Log }) {
    this.#current = options.current;
    this.#reader = options.reader;
    this.#log = options.log;
  }

  get current(): number {
    return this.#current;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** An answer of the log names its epoch. It never falls: an answer that was asked before the raise is late. */
  observe(epoch: number): void {
    if (epoch <= this.#current) return;
    this.#log.warn('log_epoch_changed', { from: this.#current, to: epoch });
    this.#current = epoch;
    for (const listener of this.#listeners) listener();
  }

  /** Asks the log; false: it did not answer. Never rejects: whoever needs to know asks again. */
  async learn(): Promise<boolean> {
    try {
      this.observe(await this.#reader.readEpoch());
      return true;
    } catch (error) {
      this.#log.warn('epoch_read_failed', { reason: reasonOf(error) });
      return false;
    }
  }
}
