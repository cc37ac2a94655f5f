import { inspect } from 'node:util';

/**
 * The JSON text of a message's `payload`: ciphertext and what its sender put beside it.
 *
 * It cannot reach a log, a metric or an error text by accident: however it is printed, it prints its size.
 * `reveal()` is called in few places, each of which hands the text on to the wire or to storage.
 */
export class Sealed {
  readonly #json: string;

  constructor(json: string) {
    this.#json = json;
  }

  /** The JSON text itself. */
  reveal(): string {
    return this.#json;
  }

  toString(): string {
    return `[sealed ${this.#json.length} characters]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
