import { ACK_DUE_CREDIT_SHARE, ACK_DUE_MS, costsCredit } from '@sanctum/protocol';

/**
 * Counts the frames of one connection that cost credit, repeats included, and says when an `ack` is due: at
 * half the credit, or 250 ms after the first frame unacknowledged. Time is passed in, so it can be replayed.
 */
export class AckCounter {
  readonly #dueCount: number;
  #delivered = 0;
  #acknowledged = 0;
  #firstUnacknowledgedMs = 0;

  /** @param credit the `credit` of this connection's `ready` */
  constructor(credit: number) {
    this.#dueCount = Math.max(1, Math.floor(credit * ACK_DUE_CREDIT_SHARE));
  }

  /** How many counted frames came on this connection. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Counts a frame by its type, whatever became of it. Other types do not count. */
  receive(type: string, nowMs: number): void {
    if (!costsCredit(type)) return;
    if (this.#delivered === this.#acknowledged) this.#firstUnacknowledgedMs = nowMs;
    this.#delivered++;
  }

  /**
   * When an `ack` is due, in the caller's time: in the past where it is due at once, undefined for never.
   * @param held how many of the last frames shall not be acknowledged yet
   */
  dueAtMs(held = 0): number | undefined {
    const waiting = this.#delivered - held - this.#acknowledged;
    if (waiting <= 0) return undefined;
    return waiting >= this.#dueCount ? this.#firstUnacknowledgedMs : this.#firstUnacknowledgedMs + ACK_DUE_MS;
  }

  /**
   * The value for `ack.delivered`, which counts as sent from now on; undefined where it would say nothing new.
   * @param held how many of the last frames are left out; they wait from `nowMs` on
   */
  take(held = 0, nowMs = this.#firstUnacknowledgedMs): number | undefined {
    const upTo = this.#delivered - held;
    if (upTo <= this.#acknowledged) return undefined;
    this.#acknowledged = upTo;
    this.#firstUnacknowledgedMs = nowMs;
    return upTo;
  }
}
