import { formatTime } from '@sanctum/protocol';
import type { Pipeline } from '@sanctum/protocol/admin';
import type { Clock } from '../clock.ts';
import { LATENCY_BUCKETS_SECONDS } from '../metrics.ts';
import type { ControlWatch } from './control-watch.ts';
import { type Fleet, quantileMs } from './fleet.ts';
import { type OutboxState, type StreamState, viewStages } from './pipeline-view.ts';
import type { PodFigures } from './pod-figures.ts';

/** The stores are asked this often while somebody looks, and not at all otherwise. */
const ASK_EVERY_MS = 1000;
/** Whoever looked last may look again. */
const WATCHED_FOR_MS = 15_000;
/** A store that has not answered for so long is away; the first look waits for so long. */
const PATIENCE_MS = 2000;
/** Times as long as its answer took a store is left alone: counting a backlog of a million must not add to it. */
const REST_SHARE = 9;
const REST_MAX_MS = 10_000;

export interface StoreProbes {
  outbox(): Promise<OutboxState>;
  /** Left out: no Redis was named. */
  stream?: () => Promise<StreamState>;
  /** What pods have written of themselves. */
  pods(): Promise<readonly { readonly figures: PodFigures; readonly ageMs: number }[]>;
}

/** The whole pipeline as this pod sees it: what the pods say, and what the stores answer. */
export class PipelineWatch {
  readonly #fleet: Fleet;
  readonly #probes: StoreProbes;
  readonly #controls: Pick<ControlWatch, 'paused'>;
  readonly #clock: Clock;
  readonly #pod: string;
  readonly #isOutsider: boolean;
  readonly #epoch: () => number;
  readonly #outbox: Probe<OutboxState>;
  readonly #stream: Probe<StreamState> | undefined;
  readonly #table: Probe<void>;
  #watchedUntil = -Infinity;

  constructor(options: {
    fleet: Fleet;
    probes: StoreProbes;
    controls: Pick<ControlWatch, 'paused'>;
    clock: Clock;
    pod: string;
    /** Left out: `pod` is one. */
    isOutsider?: boolean;
    epoch: () => number;
  }) {
    this.#fleet = options.fleet;
    this.#probes = options.probes;
    this.#controls = options.controls;
    this.#clock = options.clock;
    this.#pod = options.pod;
    this.#isOutsider = options.isOutsider === true;
    this.#epoch = options.epoch;
    this.#outbox = new Probe(this.#clock, () => this.#probes.outbox());
    const { stream } = options.probes;
    this.#stream = stream && new Probe(this.#clock, stream);
    this.#table = new Probe(this.#clock, async () => {
      for (const { figures, ageMs } of await this.#probes.pods()) this.#fleet.hear(figures, ageMs);
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(ASK_EVERY_MS, signal);
      if (this.#clock.monotonic() < this.#watchedUntil) this.#ask();
    }
  }

  /** Somebody looks; `fresh`: the stores are asked anew for it, and not only when the last look was long ago. */
  async look({ fresh = false } = {}): Promise<Pipeline> {
    const now = this.#clock.monotonic();
    const isFirst = now >= this.#watchedUntil;
    this.#watchedUntil = now + WATCHED_FOR_MS;
    if (isFirst || fresh) {
      this.#ask();
      const late = new AbortController();
      await Promise.race([
        Promise.all([this.#outbox.settled, this.#stream?.settled, this.#table.settled]),
        this.#clock.sleep(PATIENCE_MS, late.signal),
      ]);
      late.abort();
    }
    return this.#view();
  }

  #ask(): void {
    this.#outbox.ask();
    this.#stream?.ask();
    this.#table.ask();
  }

  #view(): Pipeline {
    const pods = this.#fleet.pods();
    const rates = this.#fleet.rates();
    const [outbox, stream] = [this.#outbox.answer(PATIENCE_MS), this.#stream?.answer(PATIENCE_MS)];
    const seen = this.#stream === undefined ? 'not_named' : stream;
    const ms = (counts: readonly number[], quantile: number) =>
      quantileMs(counts, LATENCY_BUCKETS_SECONDS, quantile);
    return {
      at: formatTime(this.#clock.now()),
      answered_by: this.#pod,
      epoch: this.#epoch(),
      stages: viewStages({
        pods,
        rates,
        outbox,
        stream: seen,
        paused: this.#controls.paused,
        isOutsider: this.#isOutsider,
      }),
      stores: {
        outbox:
          outbox === undefined
            ? null
            : {
                pending: outbox.pending,
                oldest_pending_seconds: outbox.oldestPendingSeconds,
                dead_rows: outbox.deadRows,
              },
        stream:
          stream === undefined
            ? null
            : {
                length: stream.length,
                max_length: stream.maxLength,
                pending: stream.pending,
                oldest_unread_seconds: stream.oldestUnreadSeconds,
              },
      },
      lag: { p50_ms: ms(rates.lag, 0.5), p95_ms: ms(rates.lag, 0.95) },
      end_to_end: { p50_ms: ms(rates.endToEnd, 0.5), p95_ms: ms(rates.endToEnd, 0.95) },
      pods: pods.map(({ figures, silentMs, isGone }) => ({
        instance: figures.instance,
        name: figures.name,
        state: isGone ? 'gone' : figures.state,
        reasons: [...figures.reasons],
        version: figures.version,
        started_at: formatTime(figures.startedAt),
        seen_at: formatTime(Math.round(this.#clock.now() - silentMs)),
        dispatcher: figures.dispatcher,
        consumer: figures.consumer,
        paused: [...figures.paused],
        connections: figures.connections,
        slow_connections: figures.slowConnections,
        conversations: figures.conversations,
        epoch: figures.epoch,
      })),
    };
  }
}

/** A question that is asked again and again, one at a time, and its latest answer. */
class Probe<T> {
  readonly #clock: Clock;
  readonly #question: () => Promise<T>;
  #answer: T | undefined;
  #askedAt: number | undefined;
  #restsUntil = -Infinity;
  settled: Promise<void> = Promise.resolve();

  constructor(clock: Clock, question: () => Promise<T>) {
    this.#clock = clock;
    this.#question = question;
  }

  ask(): void {
    const askedAt = this.#clock.monotonic();
    if (this.#askedAt !== undefined || askedAt < this.#restsUntil) return;
    this.#askedAt = askedAt;
    this.settled = this.#question()
      .then(
        (answer) => {
          const now = this.#clock.monotonic();
          this.#restsUntil = now + Math.min(REST_MAX_MS, REST_SHARE * (now - askedAt));
          this.#answer = answer;
        },
        () => void (this.#answer = undefined),
      )
      .finally(() => (this.#askedAt = undefined));
  }

  /** undefined: it failed, or has been out for longer than `patienceMs`. */
  answer(patienceMs: number): T | undefined {
    const isLate = this.#askedAt !== undefined && this.#clock.monotonic() - this.#askedAt > patienceMs;
    return isLate ? undefined : this.#answer;
  }
}
