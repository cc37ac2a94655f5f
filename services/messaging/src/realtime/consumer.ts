import { jittered, type Clock } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import { Latch } from '../latch.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { BusMessage, BusPublisher, DeadLetterLog, StreamEntry, StreamReader } from '../ports.ts';
import { encodeBusFrame } from './bus-frame.ts';
import { sortBatch } from './consumer-batch.ts';
import { ConsumerFigures } from './consumer-figures.ts';
import { RecentBroadcasts } from './consumer-recent.ts';

const BACK_OFF_FIRST_MS = 50;
const BACK_OFF_MAX_MS = 1_000;
const PAUSE_CHECK_MS = 5_000;
/** Malformed entries that are named in the log, of one batch. */
const NAMED_MAX = 10;

export interface ConsumerOptions {
  readonly reader: StreamReader;
  readonly publisher: BusPublisher;
  readonly deadLetters: DeadLetterLog;
  /** The log's epoch as this pod knows it. */
  readonly currentEpoch: () => number;
  /** Asks the log for its epoch: an entry is of a newer one than this pod knows. False: it did not answer. */
  readonly learnEpoch: () => Promise<boolean>;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  /** Called in every round of the read loop. */
  readonly onRound?: () => void;
  readonly settings: { readonly group: string; readonly claimIdleMs: number };
}

/**
 * Reads the stream and broadcasts each message on its conversation's channel, encoded once.
 *
 *   new → running ⇄ paused → stopping → stopped        start, stop, pause and resume are safe in any state
 *
 * The read loop: own pending entries first (at the start, after a reconnect, after a failure), then new ones, and
 * so on. A batch is published, then acknowledged while the next one is read. What could not be published stays
 * pending. Beside it a loop takes over what other consumers left behind, and one keeps the gauges.
 */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #figures: ConsumerFigures;
  readonly #recent = new RecentBroadcasts();
  readonly #stop = new AbortController();
  readonly #resumed = new Latch();
  #reading = new AbortController();
  #state: 'new' | 'running' | 'stopping' | 'stopped' = 'new';
  #paused = false;
  /** Entries may wait in the own pending list. */
  #ownPending = true;
  #failures = 0;
  #acknowledging: Promise<void> = Promise.resolve();
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#figures = new ConsumerFigures(options);
    options.reader.onReconnect(() => {
      this.#ownPending = true;
    });
  }

  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    this.#options.log.info('consumer_started', { ...this.#options.settings });
    this.#work = Promise.all([this.#readLoop(), this.#claimLoop(), this.#figures.run(this.#stop.signal)]);
  }

  /** Stops reading, broadcasts what was read, acknowledges it. */
  async stop(): Promise<void> {
    const wasRunning = this.#state === 'running';
    if (this.#state === 'new') this.#state = 'stopped';
    if (wasRunning) this.#state = 'stopping';
    this.#stop.abort();
    this.#reading.abort();
    this.#resumed.say();
    await this.#work;
    await this.#acknowledging;
    this.#state = 'stopped';
    if (wasRunning) this.#options.log.info('consumer_stopped');
  }

  pause(): void {
    this.#paused = true;
    this.#reading.abort();
  }

  resume(): void {
    this.#paused = false;
    this.#resumed.say();
  }

  get #running(): boolean {
    return this.#state === 'running';
  }

  async #readLoop(): Promise<void> {
    while (this.#running) {
      this.#options.onRound?.();
      if (this.#paused) await this.#resumed.wait(this.#options.clock, PAUSE_CHECK_MS);
      else if (await this.#step()) this.#failures = 0;
      else await this.#backOff();
    }
  }

  /** Reads once and handles what came; false: something failed. */
  async #step(): Promise<boolean> {
    try {
      if (this.#ownPending) return await this.#handleOwnPending();
      if (this.#reading.signal.aborted) this.#reading = new AbortController();
      // pause() and stop() may have come since this loop last looked.
      if (this.#paused || !this.#running) return true;
      const entries = await this.#options.reader.readNew(this.#reading.signal);
      if (entries.length === 0) return true;
      this.#figures.fetched(entries.length);
      return await this.#handle(entries);
    } catch (error) {
      this.#fetchFailed(error);
      return false;
    }
  }

  async #handleOwnPending(): Promise<boolean> {
    // An acknowledgement under way would show its entries as pending still.
    await this.#acknowledging;
    this.#ownPending = false;
    const after = new Map<string, string>();
    try {
      while (this.#running && !this.#paused) {
        const entries = await this.#options.reader.readOwnPending(after);
        if (entries.length === 0) break;
        this.#figures.fetched(entries.length);
        if (!(await this.#handle(entries))) return false;
        for (const { stream, entryId } of entries) after.set(stream, entryId);
      }
      if (this.#paused) this.#ownPending = true;
      // Not acknowledged, or a connection lost meanwhile: the list is to be read once more, after a pause.
      await this.#acknowledging;
      return !this.#ownPending || this.#paused;
    } catch (error) {
      this.#ownPending = true;
      throw error;
    }
  }

  /** A quarter of an idle time after another consumer's entries are idle, on average, they are here. */
  async #claimLoop(): Promise<void> {
    const { clock, reader, metrics, settings } = this.#options;
    while (this.#running) {
      await clock.sleep(jittered(clock, settings.claimIdleMs / 2), this.#stop.signal);
      try {
        while (this.#running && !this.#paused) {
          const entries = await reader.claimIdle();
          if (entries.length === 0) break;
          this.#figures.fetched(entries.length);
          metrics.consumerPelReclaimed.inc(entries.length);
          if (!(await this.#handle(entries))) break;
        }
      } catch (error) {
        this.#fetchFailed(error);
      }
    }
  }

  /** Everything that is to be done with entries once read; false: they could not be broadcast, and stay pending. */
  async #handle(entries: readonly StreamEntry[]): Promise<boolean> {
    const { currentEpoch, log, metrics } = this.#options;
    // Raised since this pod last looked? Then these are the new log's, and not to be dropped.
    const isNewer = entries.some(({ content }) => content !== undefined && content.epoch > currentEpoch());
    if (isNewer && !(await this.#options.learnEpoch())) {
      // Nobody can say, so they stay pending until the log can be asked.
      this.#ownPending = true;
      return false;
    }
    const batch = sortBatch(entries, { epoch: currentEpoch(), recent: this.#recent });
    const done: StreamEntry[] = [...batch.foreign, ...batch.repeats];
    if (batch.foreign.length > 0) log.warn('consumer_foreign_epoch', { entries: batch.foreign.length });
    metrics.consumerDedupeSkips.inc(batch.repeats.length + batch.twins.length);
    // While the table cannot take them they stay pending, hold up nobody, and come again by the claim loop.
    if (await this.#bury(batch.malformed)) done.push(...batch.malformed);
    const broadcast = await this.#broadcast(batch.fresh);
    if (broadcast) done.push(...batch.fresh, ...batch.twins);
    else this.#ownPending = true;
    await this.#acknowledge(done);
    return broadcast;
  }

  async #broadcast(entries: ReturnType<typeof sortBatch>['fresh']): Promise<boolean> {
    const { publisher, metrics, log, clock } = this.#options;
    if (entries.length === 0) return true;
    try {
      await publisher.publish(
        entries.map(({ content }): BusMessage => {
          return { channel: `c:${content.message.conversationId}`, bytes: encodeBusFrame(content) };
        }),
      );
    } catch (error) {
      metrics.consumerFailures.inc({ reason: 'broadcast_failed' }, entries.length);
      log.error('broadcast_failed', { entries: entries.length, reason: reasonOf(error) });
      return false;
    }
    this.#figures.delivered(entries.length);
    const now = clock.now();
    for (const { content } of entries) {
      this.#recent.add(content);
      if (content.resent || content.message.replayNo > 0) continue;
      metrics.consumerLagSeconds.observe(Math.max(0, now - content.message.occurredAt) / 1000);
    }
    return true;
  }

  /** Into the dead-letter table; false: they could not be, and stay pending. */
  async #bury(malformed: readonly StreamEntry[]): Promise<boolean> {
    const { deadLetters, metrics, log, settings } = this.#options;
    if (malformed.length === 0) return true;
    try {
      await deadLetters.recordMalformed(malformed, settings.group);
    } catch (error) {
      log.error('consumer_dead_letter_failed', {
        entries: malformed.length,
        entry_ids: malformed.slice(0, NAMED_MAX).map(({ entryId }) => entryId),
        reason: reasonOf(error),
      });
      return false;
    }
    metrics.consumerFailures.inc({ reason: 'parse_error' }, malformed.length);
    for (const { stream, entryId, reason } of malformed.slice(0, NAMED_MAX)) {
      log.error('consumer_parse_error', { stream, entry_id: entryId, reason, of: malformed.length });
    }
    return true;
  }

  /** Goes on while the next batch is read, but behind the acknowledgement before it: at most two are under way. */
  async #acknowledge(entries: readonly StreamEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const before = this.#acknowledging;
    this.#acknowledging = before.then(() => this.#acknowledgeNow(entries));
    await before;
  }

  async #acknowledgeNow(entries: readonly StreamEntry[]): Promise<void> {
    const { reader, metrics, log } = this.#options;
    try {
      this.#figures.acknowledged(await reader.acknowledge(entries));
    } catch (error) {
      // They come again from the own pending list, and are skipped then.
      metrics.consumerFailures.inc({ reason: 'ack_failed' }, entries.length);
      log.warn('consumer_ack_failed', { entries: entries.length, reason: reasonOf(error) });
      this.#ownPending = true;
    }
  }

  #fetchFailed(error: unknown): void {
    this.#options.metrics.consumerFailures.inc({ reason: 'fetch_error' });
    this.#options.log.error('consumer_fetch_error', { reason: reasonOf(error) });
  }

  async #backOff(): Promise<void> {
    const { clock } = this.#options;
    const delayMs = Math.min(BACK_OFF_MAX_MS, BACK_OFF_FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    await clock.sleep(jittered(clock, delayMs), this.#stop.signal);
  }
}
