/** p95 of POST→frame must be below this (the runbook's SLA). */
export const HEALTHY_P95_MS = 2000;
/** The window that p95 is taken over. */
const WINDOW_MS = 1000;
const STEP_MS = 50;

interface Watched {
  readonly group: string;
  /** When its first POST was begun. */
  readonly postedAt: number;
  /** Devices that are to get it. */
  readonly readers: number;
  readonly arrivedAt: number[];
}

/**
 * How long messages take from the first attempt at their POST until each member's device has handed them on, over
 * the whole run. All times are of one monotonic clock, and what is told comes in the order of its times.
 *
 * Health at a moment is what somebody at a dashboard would see: the p95 of the latencies of all frames that arrived
 * within the last second, those counted in that are overdue by then: posted more than 2 s ago and not here. Nothing
 * at all within a second is not health: the load is constant.
 */
export class LatencyWatch {
  readonly #messages = new Map<string, Watched>();
  readonly #arrivals: { readonly at: number; readonly ms: number }[] = [];

  /** `group` is what `latencies` may be asked for alone: the conversation. */
  posted(
    messageId: string,
    message: { readonly at: number; readonly readers: number; readonly group: string },
  ) {
    const { at, readers, group } = message;
    this.#messages.set(messageId, { group, postedAt: at, readers, arrivedAt: [] });
  }

  /** It will never be there: refused, or given up. */
  withdrawn(messageId: string): void {
    this.#messages.delete(messageId);
  }

  /** A device has handed it on, for the first time. */
  arrived(messageId: string, at: number): void {
    const message = this.#messages.get(messageId);
    if (message === undefined) return;
    message.arrivedAt.push(at);
    this.#arrivals.push({ at, ms: at - message.postedAt });
  }

  /** Frames that are still to come. */
  get missing(): number {
    return [...this.#messages.values()].reduce((sum, each) => sum + each.readers - each.arrivedAt.length, 0);
  }

  /** The p95 that was seen at a moment; Infinity where nothing came, or too much had not. */
  p95At(at: number): number {
    const latencies: number[] = [];
    // Looked at many times a second: what is over and done with is passed by.
    for (let n = this.#arrivedBy(at) - 1; n >= 0 && this.#arrivals[n]!.at > at - WINDOW_MS; n--) {
      latencies.push(this.#arrivals[n]!.ms);
    }
    for (const { postedAt, readers, arrivedAt } of this.#messages.values()) {
      if (postedAt > at - HEALTHY_P95_MS) break;
      if (arrivedAt.length === readers && arrivedAt.at(-1)! <= at) continue;
      const overdue = readers - arrivedAt.filter((arrival) => arrival <= at).length;
      for (let n = 0; n < overdue; n++) latencies.push(Infinity);
    }
    return quantile(latencies, 0.95);
  }

  /**
   * How long after `since` the p95 was below 2 s and stayed there for `lastingMs`, by what was seen until `until`: 0
   * where it never rose, undefined where that did not come.
   */
  recoveryMs(span: {
    readonly since: number;
    readonly until: number;
    readonly lastingMs: number;
  }): number | undefined {
    const { since, until, lastingMs } = span;
    let wellSince: number | undefined;
    for (let at = since; at <= until; at += STEP_MS) {
      if (this.p95At(at) >= HEALTHY_P95_MS) wellSince = undefined;
      else wellSince ??= at;
      if (wellSince !== undefined && at - wellSince >= lastingMs) return wellSince - since;
    }
    return undefined;
  }

  /** The p95 of what was posted within a span, Infinity for each frame not here; of one conversation, or without one. */
  p95Of(span: {
    readonly from: number;
    readonly to: number;
    readonly only?: string;
    readonly without?: string;
  }): number {
    const latencies: number[] = [];
    for (const { group, postedAt, readers, arrivedAt } of this.#messages.values()) {
      if (postedAt < span.from || postedAt > span.to) continue;
      if ((span.only !== undefined && group !== span.only) || group === span.without) continue;
      for (let n = 0; n < readers; n++) latencies.push((arrivedAt[n] ?? Infinity) - postedAt);
    }
    return quantile(latencies, 0.95);
  }

  /** How many arrivals there were by then. */
  #arrivedBy(at: number): number {
    let [from, to] = [0, this.#arrivals.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#arrivals[middle]!.at <= at) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

/** Infinity of nothing. */
function quantile(values: number[], share: number): number {
  const sorted = values.sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Infinity;
}
