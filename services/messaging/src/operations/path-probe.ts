import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';

const SECOND = 1000;
const EVERY_MS = 5 * SECOND;
/** A synthetic message that is not back by then has failed. */
const PATIENCE_MS = 4 * SECOND;

/** One that came back. `live`: by the fast path. */
export interface ProbeArrival {
  readonly seq: number;
  readonly live: boolean;
}

export interface ProbeOutbox {
  appendProbe(probe: {
    conversationId: string;
    messageId: string;
  }): Promise<{ seq: number; occurredAt: number }>;
}

/**
 * "All green, nothing delivered" is the commonest outage of a pipeline. So every pod with a consumer sends itself a
 * synthetic message through all of it, from the outbox to a reader on this pod, and says whether the fast path
 * brought it. It also keeps an idle night from looking like an outage.
 */
export class PathProbe {
  readonly #conversationId: string;
  readonly #outbox: ProbeOutbox;
  readonly #watch: (conversationId: string, listener: (arrival: ProbeArrival) => void) => void;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #log: Log;
  #wanted: { readonly seq: number; readonly arrived: (live: boolean) => void } | undefined;
  #early = new Map<number, boolean>();
  #isOk: boolean | undefined;

  constructor(options: {
    conversationId: string;
    outbox: ProbeOutbox;
    /** Makes `listener` the reader of this conversation; called again each round, in case the hub began anew. */
    watch: (conversationId: string, listener: (arrival: ProbeArrival) => void) => void;
    clock: Clock;
    metrics: Metrics;
    log: Log;
  }) {
    this.#conversationId = options.conversationId;
    this.#outbox = options.outbox;
    this.#watch = options.watch;
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#log = options.log;
  }

  get isBroken(): boolean {
    return this.#isOk === false;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#watch(this.#conversationId, (arrival) => this.#arrived(arrival));
      await this.#clock.sleep(EVERY_MS, signal);
      if (!signal.aborted) await this.round();
    }
  }

  /** Sends one and waits for it; true when the fast path brought it. */
  async round(): Promise<boolean> {
    let isOk = false;
    try {
      this.#early.clear();
      const sent = await this.#outbox.appendProbe({
        conversationId: this.#conversationId,
        messageId: this.#clock.uuid(),
      });
      isOk = await this.#arrival(sent.seq);
      if (isOk) this.#metrics.pathSeconds.observe(Math.max(0, this.#clock.now() - sent.occurredAt) / SECOND);
    } catch (error) {
      this.#log.warn('path_probe_failed', { reason: reasonOf(error) });
    }
    this.#metrics.pathOk.set(isOk ? 1 : 0);
    if (isOk !== this.#isOk) this.#log[isOk ? 'info' : 'error'](isOk ? 'path_ok' : 'path_broken');
    this.#isOk = isOk;
    return isOk;
  }

  #arrival(seq: number): Promise<boolean> {
    const early = this.#early.get(seq);
    if (early !== undefined) return Promise.resolve(early);
    return new Promise((resolve) => {
      const done = (live: boolean) => {
        timer.cancel();
        this.#wanted = undefined;
        resolve(live);
      };
      const timer = this.#clock.setTimer(PATIENCE_MS, () => done(false));
      this.#wanted = { seq, arrived: done };
    });
  }

  #arrived(arrival: ProbeArrival): void {
    if (this.#wanted === undefined) this.#early.set(arrival.seq, arrival.live);
    else if (arrival.seq === this.#wanted.seq) this.#wanted.arrived(arrival.live);
  }
}

/** The probe's conversation: the same for a pod of the same name, so that restarts leave nothing behind. */
export function probeConversationId(installationId: string, podName: string): string {
  const hex = createHash('sha256').update(`${installationId}\n${podName}`).digest('hex');
  // Version 8: made by the application (RFC 9562).
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
