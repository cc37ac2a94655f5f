/**
 * Who may be at something that only some may be at together. Whoever finds no room waits, and so does whoever has
 * been at it and wants to go on while others wait. For each that leaves one is called, and its place is kept until it
 * has taken it, or wants it no more.
 */
export class Turns<T> {
  readonly #max: number;
  readonly #call: (next: T) => void;
  readonly #inside = new Set<T>();
  readonly #called = new Set<T>();
  readonly #waiting = new Set<T>();

  constructor(max: number, call: (next: T) => void) {
    this.#max = max;
    this.#call = call;
  }

  /** Those who are at it. */
  get inside(): ReadonlySet<T> {
    return this.#inside;
  }

  /** Whether it may be at it, from now until it leaves; if not, it is called later, and asks again. */
  take(one: T): boolean {
    if (this.#inside.has(one)) {
      if (this.#waiting.size === 0) return true;
      this.leave(one);
      this.#waiting.add(one);
      return false;
    }
    if (this.#called.delete(one) || this.#inside.size + this.#called.size < this.#max) {
      this.#waiting.delete(one);
      this.#inside.add(one);
      return true;
    }
    this.#waiting.add(one);
    return false;
  }

  /** It wants nothing, now. */
  leave(one: T): void {
    this.#waiting.delete(one);
    if (this.#inside.delete(one) || this.#called.delete(one)) this.#callNext();
  }

  #callNext(): void {
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#called.add(next);
    this.#call(next);
  }
}
