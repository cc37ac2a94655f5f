/** Aborts its signal, with a timeout for the reason, when it was not broken for so long. */
export class Silence {
  readonly #abort = new AbortController();
  readonly #maxMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(maxMs: number) {
    this.#maxMs = maxMs;
    this.broken();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  broken(): void {
    clearTimeout(this.#timer);
    const reason = new DOMException('nothing was heard', 'TimeoutError');
    this.#timer = setTimeout(() => this.#abort.abort(reason), this.#maxMs);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
