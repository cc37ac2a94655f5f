/**
 * What a connection may still be sent: frames of message, gap, member and reset under way and unacknowledged never
 * exceed the credit of its hello. Browsers cannot push back on a WebSocket, so this does.
 */
export class Credit {
  readonly limit: number;
  #sent = 0;
  #acknowledged = 0;
  #usedUpSince: number | undefined;
  /** One frame at a time is timed from commit to acknowledgement: enough for a histogram, and no queue. */
  #timed: { readonly count: number; readonly occurredAt: number } | undefined;

  constructor(limit: number) {
    this.limit = limit;
  }

  get left(): number {
    return this.limit - (this.#sent - this.#acknowledged);
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Since when, in the caller's milliseconds, nothing could be sent for want of an acknowledgement. */
  get usedUpSince(): number | undefined {
    return this.#usedUpSince;
  }

  /** Counts a frame. `occurredAt`: its message may be timed. */
  spend(now: number, occurredAt?: number): void {
    this.#sent += 1;
    if (this.left <= 0) this.#usedUpSince = now;
    if (occurredAt !== undefined && this.#timed === undefined)
      this.#timed = { count: this.#sent, occurredAt };
  }

  /**
   * `false`: the client claims what was never sent, or takes back what it had. `occurredAt` is that of the timed
   * message, once it is acknowledged.
   */
  acknowledge(delivered: number): { advanced: boolean; occurredAt: number | undefined } | false {
    if (delivered < this.#acknowledged || delivered > this.#sent) return false;
    const advanced = delivered > this.#acknowledged;
    this.#acknowledged = delivered;
    if (this.left > 0) this.#usedUpSince = undefined;
    if (this.#timed === undefined || delivered < this.#timed.count)
      return { advanced, occurredAt: undefined };
    const { occurredAt } = this.#timed;
    this.#timed = undefined;
    return { advanced, occurredAt };
  }
}
