/**
 * The buckets that are due, each handed to one lane at a time. A bucket that becomes due while a lane has it is
 * handed out once more afterwards: no wake is lost. How many may be out at once is the dispatcher's word: none
 * while it is paused, one while it feels its way after an outage.
 */
export class BucketQueue {
  readonly #due = new Set<number>();
  readonly #taken = new Set<number>();
  readonly #waiting: ((bucket: number | undefined) => void)[] = [];
  #limit = 0;
  #closed = false;

  add(buckets: Iterable<number>): void {
    for (const bucket of buckets) this.#due.add(bucket);
    this.#handOut();
  }

  allow(limit: number): void {
    this.#limit = limit;
    this.#handOut();
  }

  /** The next bucket, once there is one and it may be handed out; `undefined` when the queue is closed. */
  take(): Promise<number | undefined> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#handOut();
    });
  }

  release(bucket: number): void {
    this.#taken.delete(bucket);
    this.#handOut();
  }

  /** Lanes that wait, and those that come later, get `undefined`. */
  close(): void {
    this.#closed = true;
    this.#handOut();
  }

  #handOut(): void {
    while (this.#waiting.length > 0) {
      const bucket = this.#closed ? undefined : this.#next();
      if (bucket === undefined && !this.#closed) return;
      if (bucket !== undefined) {
        this.#due.delete(bucket);
        this.#taken.add(bucket);
      }
      this.#waiting.shift()?.(bucket);
    }
  }

  #next(): number | undefined {
    if (this.#taken.size >= this.#limit) return undefined;
    for (const bucket of this.#due) if (!this.#taken.has(bucket)) return bucket;
    return undefined;
  }
}
