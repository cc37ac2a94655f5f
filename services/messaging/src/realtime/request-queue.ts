/** Requests that wait behind one that is being answered. */
const REQUESTS_WAITING_MAX = 64;

/** Work of one session that asks the log, one after another and bounded in number. */
export class RequestQueue {
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  /** False: too many wait already. `work` must not reject. */
  add(work: () => Promise<void>): boolean {
    if (this.#waiting >= REQUESTS_WAITING_MAX) return false;
    this.#waiting += 1;
    this.#last = this.#last.then(() => {
      this.#waiting -= 1;
      return work();
    });
    return true;
  }
}
