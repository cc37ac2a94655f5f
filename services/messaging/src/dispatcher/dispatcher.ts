import { BUCKETS } from '../bucket.ts';
import { jittered, type Clock, type Timer } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import { Latch } from '../latch.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { BusSubscriber, DispatchLog, OutboxRow, StreamServer, StreamWriter, Verdict } from '../ports.ts';
import { decodeWake } from '../wake-message.ts';
import { BucketQueue } from './bucket-queue.ts';
import { DispatchFigures } from './dispatch-figures.ts';
import { publishBatch, type BatchResult, type Trouble } from './publish-batch.ts';
import { Recovery } from './recovery.ts';
import { resendBucket } from './resend-bucket.ts';
import { goesOneByOne, strike, type Suspicion } from './suspicion.ts';

/**
 * Rounds that this process has under way at the same time; each takes a connection to Postgres. With few of them what
 * becomes due meanwhile shares the next round: on a busy machine 500 messages a second over 20 conversations reached
 * their members in 7 to 18 ms (median of each of three runs) with three, in 18 to 20 ms with two, and in 43 to 123 ms
 * with eight of one bucket each.
 */
export const DISPATCH_LANES = 3;
/** Due buckets that share a round: all lanes together take more than a third of the 64. */
const BUCKETS_PER_ROUND = 8;
/** Another pod's wake is looked into after about this long: its own dispatcher has mostly done the work by then. */
const REMOTE_WAKE_DELAY_MS = 10;

const ALL_BUCKETS = Array.from({ length: BUCKETS }, (_, bucket) => bucket);

export interface DispatcherOptions {
  readonly log: DispatchLog;
  readonly writer: StreamWriter;
  /** Where other pods' intake says `wake`; without it the tick alone finds their rows. */
  readonly bus?: BusSubscriber;
  readonly metrics: Metrics;
  readonly logger: Log;
  readonly clock: Clock;
  /** Called in every round of the tick. */
  readonly onRound?: () => void;
  readonly settings: {
    /** `DISPATCH_TICK_MS`, `DISPATCH_BATCH_SIZE`, `DISPATCH_MAX_ATTEMPTS`, `DISPATCH_STREAM_PARTITIONS`. */
    readonly tickMs: number;
    readonly batchSize: number;
    readonly maxAttempts: number;
    readonly partitions: number;
  };
}

/**
 * Moves committed rows from the outbox to the stream.
 *
 *   new → running ⇄ paused → stopping → stopped        start, stop, pause and resume are safe in any state
 *
 * Buckets become due by `wake` (this process' intake), by a look at what is pending (every tick, and soon after
 * another pod's wake), and again at once where there was more than a batch. Lanes take due buckets, several in one
 * round: own them, claim a batch, append it, record what became of each row (`DispatchLog.dispatchBuckets`). A bucket
 * with more than its share of a batch, or whose round failed, goes alone the next time. Rows that failed are judged
 * in verdicts.ts, outages in recovery.ts, rows that break connections in suspicion.ts.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #queue: BucketQueue;
  readonly #recovery: Recovery;
  readonly #figures: DispatchFigures;
  readonly #suspicions = new Map<number, Suspicion>();
  #server: (StreamServer & { readonly connectedAt: number }) | undefined;
  /** Buckets whose recent rows Redis may have lost. */
  readonly #forgotten = new Set<number>();
  readonly #tickNow = new Latch();
  #state: 'new' | 'running' | 'stopping' | 'stopped' = 'new';
  #paused = false;
  #remoteWake: Timer | undefined;
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#queue = new BucketQueue(options.settings);
    this.#recovery = new Recovery(options.clock);
    this.#figures = new DispatchFigures(options);
    const { writer, bus } = options;
    writer.onConnected((server) => {
      this.#server = { ...server, connectedAt: options.clock.monotonic() };
      for (const bucket of this.#fromRandom(ALL_BUCKETS)) this.#forgotten.add(bucket);
      // A process that has just begun knows of no loss: it compares lives when a bucket is due anyway.
      if (server.reconnected) this.#queue.add(this.#forgotten);
    });
    // Lost with the connection, the subscription is made again with the next; the tick stands in meanwhile.
    bus?.onReady(() => void bus.subscribe(['wake']).catch(() => {}));
    bus?.onMessage((channel, bytes) => {
      if (channel === 'wake' && decodeWake(bytes).length > 0) this.#lookSoon();
    });
  }

  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    const { bus, logger, settings } = this.#options;
    if (bus?.connected) bus.subscribe(['wake']).catch(() => {});
    logger.info('dispatcher_started', { ...settings, lanes: DISPATCH_LANES });
    this.#setLanes();
    const lanes = Array.from({ length: DISPATCH_LANES }, () => this.#lane());
    this.#work = Promise.all([this.#tickLoop(), ...lanes]);
  }

  /** Finishes the batches under way; whatever is not sent stays pending, with no attempt spent. */
  async stop(): Promise<void> {
    const wasRunning = this.#state === 'running';
    if (this.#state === 'new') this.#state = 'stopped';
    if (wasRunning) this.#state = 'stopping';
    this.#remoteWake?.cancel();
    this.#queue.close();
    this.#tickNow.say();
    await this.#work;
    this.#state = 'stopped';
    if (wasRunning) this.#options.logger.info('dispatcher_stopped');
  }

  pause(): void {
    this.#paused = true;
    this.#setLanes();
  }

  resume(): void {
    this.#paused = false;
    this.#setLanes();
    this.#tickNow.say();
  }

  /** There are new rows: in these buckets, or somewhere. */
  wake(buckets?: readonly number[]): void {
    if (this.#state !== 'running') return;
    if (buckets === undefined) this.#tickNow.say();
    else this.#queue.add(buckets);
  }

  #lookSoon(): void {
    if (this.#remoteWake !== undefined || this.#state !== 'running') return;
    const { clock } = this.#options;
    this.#remoteWake = clock.setTimer(jittered(clock, REMOTE_WAKE_DELAY_MS), () => {
      this.#remoteWake = undefined;
      this.#tickNow.say();
    });
  }

  #setLanes(): void {
    const { state } = this.#recovery;
    if (this.#paused || state === 'resting') this.#queue.allow(0);
    // While a row is suspected nothing else may break the connection, or be broken with it.
    else this.#queue.allow(state === 'trying' || this.#suspicions.size > 0 ? 1 : BUCKETS);
  }

  async #tickLoop(): Promise<void> {
    while (this.#state === 'running') {
      this.#options.onRound?.();
      await this.#tick();
      if (this.#state !== 'running') return;
      await this.#tickNow.wait(this.#options.clock, this.#options.settings.tickMs);
    }
  }

  /** The backstop: whatever is pending becomes due. */
  async #tick(): Promise<void> {
    const { log, writer, metrics } = this.#options;
    await this.#figures.refresh();
    if (this.#paused) return metrics.dispatchTicks.inc({ result: 'paused' });
    if (this.#recovery.state === 'resting') {
      if (!this.#recovery.due) return;
      if (!(await writer.ping())) return this.#fail('redis');
      this.#recovery.answered();
    }
    const end = metrics.dispatchTickDurationSeconds.startTimer();
    try {
      const buckets = await log.pendingBuckets();
      if (buckets.length === 0) {
        this.#recovery.succeeded();
        metrics.dispatchTicks.inc({ result: 'empty' });
        end();
      }
      this.#queue.add(
        this.#fromRandom([...buckets, ...(this.#server?.reconnected === true ? this.#forgotten : [])]),
      );
      this.#setLanes();
    } catch (error) {
      this.#fail(reasonOf(error));
    }
  }

  async #lane(): Promise<void> {
    const most = Math.min(BUCKETS_PER_ROUND, this.#options.settings.batchSize);
    for (;;) {
      const buckets = await this.#queue.take(most);
      if (buckets === undefined) return;
      await this.#dispatch(buckets);
      this.#queue.release(buckets);
    }
  }

  /** One round: a batch of buckets of one partition. */
  async #dispatch(buckets: readonly number[]): Promise<void> {
    const { log, writer, metrics, settings } = this.#options;
    if (!writer.available) return this.#fail('redis', buckets);
    const partition = buckets[0]! % settings.partitions;
    let trouble = undefined as Trouble | undefined;
    const publish = async (rows: readonly OutboxRow[], epoch: number): Promise<readonly Verdict[]> => {
      const batch = await this.#publish(partition, rows, epoch);
      trouble = batch.trouble;
      return batch.verdicts;
    };
    const end = metrics.dispatchTickDurationSeconds.startTimer();
    try {
      await this.#resend(
        buckets.filter((bucket) => this.#forgotten.has(bucket)),
        partition,
      );
      const round = await log.dispatchBuckets(buckets, { limit: settings.batchSize }, publish);
      this.#figures.count(round);
      if (trouble !== undefined) return await this.#meetTrouble(buckets, trouble);
      for (const bucket of buckets) this.#suspicions.delete(bucket);
      if (round.picked > 0) this.#recovery.succeeded();
      this.#setLanes();
      metrics.dispatchTicks.inc({ result: round.picked > 0 ? 'ok' : 'empty' });
      this.#queue.add(round.full, { alone: true });
    } catch (error) {
      this.#fail(reasonOf(error), buckets);
    } finally {
      end();
    }
  }

  async #resend(buckets: readonly number[], partition: number): Promise<void> {
    const { log, writer, metrics, clock } = this.#options;
    const server = this.#server;
    if (server === undefined) return;
    for (const bucket of buckets) {
      const connectedMs = clock.monotonic() - server.connectedAt;
      const options = { log, writer, metrics, partition, server, connectedMs };
      const isDone = (await resendBucket(bucket, options)) !== undefined;
      // Another connection meanwhile: another loss.
      if (isDone && this.#server === server) this.#forgotten.delete(bucket);
    }
  }

  async #publish(partition: number, rows: readonly OutboxRow[], epoch: number): Promise<BatchResult> {
    const { writer, metrics, clock, logger, settings } = this.#options;
    const cautious = rows.some(({ bucket }) => goesOneByOne(this.#suspicions.get(bucket)));
    const batch = await publishBatch(rows, {
      epoch,
      maxAttempts: settings.maxAttempts,
      oneByOne: cautious ? { answers: () => writer.ping(), clock } : undefined,
      append: async (entries) => {
        const result = await writer.append(partition, entries);
        metrics.dispatchPublished.inc(result.appended);
        return result;
      },
    });
    batch.verdicts.forEach((verdict, i) => {
      if (verdict.kind !== 'dead') return;
      const { id, message } = rows[i] as OutboxRow;
      const ids = { message_id: message?.messageId, conversation_id: message?.conversationId };
      logger.error('dispatcher_row_dead', { id, ...ids, reason: verdict.error });
    });
    return batch;
  }

  async #meetTrouble(buckets: readonly number[], { kind, reason, row }: Trouble): Promise<void> {
    if (kind === 'outage' || !(await this.#options.writer.ping())) return this.#fail(reason, buckets);
    const { id, bucket } = row;
    this.#suspicions.set(bucket, strike(this.#suspicions.get(bucket), id));
    this.#options.metrics.dispatchTicks.inc({ result: 'error' });
    this.#options.logger.warn('dispatcher_tick_error', { reason, bucket, row: id });
    this.#setLanes();
    this.#queue.add(buckets, { alone: true });
  }

  #fail(reason: string, buckets?: readonly number[]): void {
    this.#options.metrics.dispatchTicks.inc({ result: 'error' });
    if (buckets !== undefined) this.#queue.add(buckets, { alone: true });
    const before = this.#recovery.failures;
    this.#recovery.failed();
    this.#setLanes();
    const { failures } = this.#recovery;
    // During an outage at the first, second, fourth, eighth … failure.
    const tell = failures !== before && (failures & (failures - 1)) === 0;
    if (tell)
      this.#options.logger.error('dispatcher_tick_error', {
        reason,
        buckets: buckets?.map(String),
        failures,
      });
  }

  /** In order, but from a random one on, so that several dispatchers do not meet at each bucket. */
  #fromRandom(buckets: readonly number[]): number[] {
    const first = Math.floor(this.#options.clock.random() * BUCKETS);
    return [...buckets.filter((bucket) => bucket >= first), ...buckets.filter((bucket) => bucket < first)];
  }
}
