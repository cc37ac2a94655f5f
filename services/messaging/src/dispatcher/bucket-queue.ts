/**
 * The buckets that are due, each handed to one lane at a time. A bucket that becomes due while a lane has it is
 * handed out once more afterwards: no wake is lost. How many may be out at once is the dispatcher's word: none
 * while it is paused, one while it feels its way after an outage.
 */
export class BucketQueue {
  readonly #partitions: number;
  readonly #due = new Set<number>();
  /** Those of the due that go without company. */
  readonly #alone = new Set<number>();
  readonly #taken = new Set<number>();
  readonly #waiting: { readonly most: number; readonly hand: (buckets: number[] | undefined) => void }[] = [];
  #limit = 0;
  #closed = false;

  /** What is handed out together is all of one of the stream's `partitions`. */
  constructor({ partitions }: { readonly partitions: number }) {
    this.#partitions = partitions;
  }

  /** `alone`: handed out by themselves the next time. */
  add(buckets: Iterable<number>, { alone = false } = {}): void {
    for (const bucket of buckets) {
      this.#due.add(bucket);
      if (alone) this.#alone.add(bucket);
    }
    this.#handOut();
  }

  allow(limit: number): void {
    this.#limit = limit;
    this.#handOut();
  }

  /** The next buckets, `most` of them, once there is one and it may be handed out; `undefined` when closed. */
  take(most: number): Promise<number[] | undefined> {
    return new Promise((hand) => {
      this.#waiting.push({ most, hand });
      this.#handOut();
    });
  }

  release(buckets: Iterable<number>): void {
    for (const bucket of buckets) this.#taken.delete(bucket);
    this.#handOut();
  }

  /** Lanes that wait, and those that come later, get `undefined`. */
  close(): void {
    this.#closed = true;
    this.#handOut();
  }

  #handOut(): void {
    for (let lane = this.#waiting[0]; lane !== undefined; lane = this.#waiting[0]) {
      const buckets = this.#closed ? undefined : this.#next(lane.most);
      if (buckets?.length === 0) return;
      for (const bucket of buckets ?? []) {
        this.#due.delete(bucket);
        this.#alone.delete(bucket);
        this.#taken.add(bucket);
      }
      this.#waiting.shift();
      lane.hand(buckets);
    }
  }

  /** The first that may be handed out, and company for it where it may have some. */
  #next(most: number): number[] {
    const room = Math.min(most, this.#limit - this.#taken.size);
    const due = [...this.#due].filter((bucket) => !this.#taken.has(bucket));
    const [first] = due;
    if (first === undefined || room < 1) return [];
    if (this.#alone.has(first)) return [first];
    const partition = first % this.#partitions;
    const together = due.filter(
      (bucket) => bucket % this.#partitions === partition && !this.#alone.has(bucket),
    );
    return together.slice(0, room);
  }
}
