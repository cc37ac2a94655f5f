import { jittered, systemClock, type Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { StreamEntry, StreamReader } from '../../ports.ts';
import { RedisConnection } from './connections.ts';
import { toRedisFault } from './redis-fault.ts';
import { decodeStreamEntry } from './stream-entry.ts';
import { GroupFigures, type StreamFigures } from './stream-figures.ts';
import { StreamGroups } from './stream-groups.ts';

/** Without the reply to a blocking read this long after its block time, its connection is taken for dead. */
const WATCHDOG_MS = 2_000;
/** Between a lost group and making it again: whoever destroyed it may be at work. */
const GROUP_BACK_OFF_MS = 200;
/**
 * Entries that come again are read by a command with little time for its reply (`REDIS_COMMAND_TIMEOUT_MS`): so many
 * bytes at most, or a slow network would have the same read fail for ever.
 */
const AGAIN_BYTES_MAX = 4 * 1024 * 1024;
/** A blocked read is told so often to end, in case the first time came before the read. */
const UNBLOCK_EVERY_MS = 50;
/** Pages of a list that hold nothing usable are passed over, this many at a time. */
const EMPTY_PAGES_MAX = 100;

export interface RedisStreamReaderOptions {
  readonly url: string;
  /** `DISPATCH_STREAM_NAME` and `DISPATCH_STREAM_PARTITIONS`; further partitions that exist are read as well. */
  readonly stream: string;
  readonly partitions: number;
  readonly maxLength: number;
  readonly group: string;
  readonly consumer: string;
  readonly batchSize: number;
  readonly blockMs: number;
  readonly claimIdleMs: number;
  /** The largest payload of a frame, in bytes of its JSON text. */
  readonly payloadMaxBytes: number;
  readonly log: Log;
  readonly clock?: Clock;
}

type RawEntry = [id: string, fields: string[] | null];
type RawStreams = [stream: string, entries: RawEntry[]][] | null;

/**
 * The consumer's end of the stream: one connection that blocks in `XREADGROUP`, one for everything else. The
 * group is made where it is missing: at first use, after a reconnect, and when Redis says `NOGROUP`.
 */
export class RedisStreamReader implements StreamReader {
  readonly #options: RedisStreamReaderOptions;
  readonly #clock: Clock;
  readonly #blocking: RedisConnection;
  readonly #commands: RedisConnection;
  readonly #figures: GroupFigures;
  readonly #groups: StreamGroups;
  #blockingId: { generation: number; id: number } | undefined;

  constructor(options: RedisStreamReaderOptions) {
    const { url, log, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#blocking = new RedisConnection({ url, log, clock, name: 'consumer-read' });
    this.#commands = new RedisConnection({ url, log, clock, name: 'consumer' });
    this.#figures = new GroupFigures(options.group, options.maxLength);
    this.#groups = new StreamGroups(this.#commands, options);
  }

  start(): void {
    this.#blocking.start();
    this.#commands.start();
  }

  /** Waits for the first connections, at most `timeoutMs`: what is still connecting has not failed. */
  async whenReady(timeoutMs: number): Promise<void> {
    await Promise.all([this.#blocking.whenReady(timeoutMs), this.#commands.whenReady(timeoutMs)]);
  }

  close(): void {
    this.#blocking.close();
    this.#commands.close();
  }

  onReconnect(listener: () => void): void {
    for (const connection of [this.#blocking, this.#commands]) {
      connection.onReady(() => {
        if (connection.generation > 1) listener();
      });
    }
  }

  async readNew(signal: AbortSignal): Promise<StreamEntry[]> {
    if (signal.aborted) return [];
    await this.#ensureGroups();
    await this.#learnBlockingId();
    let reading = true;
    const interrupt = () => void this.#unblock(() => reading);
    signal.addEventListener('abort', interrupt, { once: true });
    try {
      if (signal.aborted) return [];
      return this.#decode(await this.#readBlocking(), 1);
    } catch (error) {
      const { reason } = toRedisFault(error);
      if (reason !== 'NOGROUP' && reason !== 'UNBLOCKED') throw error;
      this.#groups.forget();
      await this.#clock.sleep(jittered(this.#clock, GROUP_BACK_OFF_MS), signal);
      return [];
    } finally {
      reading = false;
      signal.removeEventListener('abort', interrupt);
    }
  }

  readOwnPending(after: ReadonlyMap<string, string> | undefined): Promise<StreamEntry[]> {
    return this.#ofTheGroup(() => this.#readOwnPending(after));
  }

  claimIdle(): Promise<StreamEntry[]> {
    return this.#ofTheGroup(() => this.#claimIdle());
  }

  /** Where the group is gone, what was pending is gone with it: it is made again, and handed out as new. */
  async #ofTheGroup(read: () => Promise<StreamEntry[]>): Promise<StreamEntry[]> {
    await this.#ensureGroups();
    try {
      return await read();
    } catch (error) {
      if (toRedisFault(error).reason !== 'NOGROUP') throw error;
      this.#groups.forget();
      return [];
    }
  }

  async #readOwnPending(after: ReadonlyMap<string, string> | undefined): Promise<StreamEntry[]> {
    const from = new Map(after);
    for (let page = 0; page < EMPTY_PAGES_MAX; page++) {
      const raw = (await this.#readBehind(from)) ?? [];
      if (raw.every(([, entries]) => entries.length === 0)) return [];
      for (const [stream, entries] of raw) {
        const last = entries.at(-1);
        if (last !== undefined) from.set(stream, last[0]);
      }
      // Trimmed or deleted since they were handed out: nothing is left to deliver, and readers heal from the log.
      await this.#acknowledgeGone(raw);
      const found = await this.#withDeliveries(raw);
      if (found.length > 0) return found;
    }
    return [];
  }

  async #claimIdle(): Promise<StreamEntry[]> {
    const { group, consumer, claimIdleMs } = this.#options;
    let cursors = new Map(this.#groups.streams.map((stream) => [stream, '0-0']));
    for (let page = 0; page < EMPTY_PAGES_MAX && cursors.size > 0; page++) {
      const asked = [...cursors];
      const replies = (await this.#commands.pipeline((pipeline) => {
        for (const [stream, cursor] of asked) {
          pipeline.xautoclaim(stream, group, consumer, claimIdleMs, cursor, 'COUNT', this.#againCount());
        }
      })) as [cursor: string, entries: RawEntry[]][];
      // Ids that are gone from the stream, XAUTOCLAIM has taken off the pending list by itself.
      const raw = asked.map(([stream], i): [string, RawEntry[]] => [stream, replies[i]?.[1] ?? []]);
      const found = await this.#withDeliveries(raw);
      if (found.length > 0) return found;
      const next = asked.map(([stream], i): [string, string] => [stream, replies[i]?.[0] ?? '0-0']);
      cursors = new Map(next.filter(([, cursor]) => cursor !== '0-0'));
    }
    return [];
  }

  async acknowledge(entries: readonly StreamEntry[]): Promise<number> {
    const ids = new Map<string, string[]>();
    for (const { stream, entryId } of entries) {
      const known = ids.get(stream);
      if (known === undefined) ids.set(stream, [entryId]);
      else known.push(entryId);
    }
    return this.#acknowledgeIds(ids);
  }

  async figures(): Promise<StreamFigures> {
    return this.#figures.read(this.#commands, await this.#groups.findPartitions());
  }

  /** New entries, on the blocking connection. */
  async #readBlocking(): Promise<RawStreams> {
    const { blockMs } = this.#options;
    const streams = this.#groups.streams;
    const where = [...streams, ...streams.map(() => '>')];
    return this.#blocking.run(async (client) => {
      const pipeline = client.pipeline();
      const counting = this.#figures.atRisk;
      if (counting) this.#figures.ask(pipeline, streams);
      const count = this.#options.batchSize;
      pipeline.xreadgroup('GROUP', ...this.#asWho(), 'COUNT', count, 'BLOCK', blockMs, 'STREAMS', ...where);
      const replies = (await pipeline.exec()) ?? [];
      const [error, reply] = replies.at(-1) ?? [];
      if (error) throw error;
      if (counting) this.#figures.heard(streams, replies);
      return reply as RawStreams;
    }, blockMs + WATCHDOG_MS);
  }

  /** Own pending entries behind the given ids. */
  #readBehind(from: ReadonlyMap<string, string>): Promise<RawStreams> {
    const where = [...this.#groups.streams, ...this.#groups.streams.map((stream) => from.get(stream) ?? '0')];
    const count = this.#againCount();
    return this.#commands.run(
      (client) =>
        client.xreadgroup(
          'GROUP',
          ...this.#asWho(),
          'COUNT',
          count,
          'STREAMS',
          ...where,
        ) as Promise<RawStreams>,
    );
  }

  #asWho(): [group: string, consumer: string] {
    const { group, consumer } = this.#options;
    return [group, consumer];
  }

  /** How many entries of each stream, were all of them as large as they may be. */
  #againCount(): number {
    const { batchSize, payloadMaxBytes } = this.#options;
    const fitting = Math.floor(AGAIN_BYTES_MAX / (payloadMaxBytes * this.#groups.streams.length));
    return Math.max(1, Math.min(batchSize, fitting));
  }

  #decode(raw: RawStreams, deliveries: number | ReadonlyMap<string, number>): StreamEntry[] {
    const decoded: StreamEntry[] = [];
    for (const [stream, entries] of raw ?? []) {
      for (const [entryId, fields] of entries) {
        if (fields === null) continue;
        const count =
          typeof deliveries === 'number' ? deliveries : (deliveries.get(`${stream} ${entryId}`) ?? 2);
        decoded.push(
          decodeStreamEntry({ stream, entryId, deliveries: count }, fields, this.#options.payloadMaxBytes),
        );
      }
    }
    return decoded;
  }

  /** Redis says how often an entry was handed out only in `XPENDING`. */
  async #withDeliveries(raw: [string, RawEntry[]][]): Promise<StreamEntry[]> {
    const { group, consumer, batchSize } = this.#options;
    const present = raw.filter(([, entries]) => entries.some(([, fields]) => fields !== null));
    if (present.length === 0) return [];
    const replies = (await this.#commands.pipeline((pipeline) => {
      for (const [stream, entries] of present) {
        const [first, last] = [entries[0] as RawEntry, entries.at(-1) as RawEntry];
        pipeline.xpending(stream, group, first[0], last[0], 4 * batchSize, consumer);
      }
    })) as [id: string, consumer: string, idleMs: number, deliveries: number][][];
    const deliveries = new Map<string, number>();
    present.forEach(([stream], i) => {
      for (const [id, , , count] of replies[i] ?? []) deliveries.set(`${stream} ${id}`, count);
    });
    return this.#decode(present, deliveries);
  }

  async #acknowledgeGone(raw: [string, RawEntry[]][]): Promise<void> {
    const gone = new Map<string, string[]>();
    for (const [stream, entries] of raw) {
      const ids = entries.filter(([, fields]) => fields === null).map(([id]) => id);
      if (ids.length > 0) gone.set(stream, ids);
    }
    if (gone.size > 0) await this.#acknowledgeIds(gone);
  }

  async #acknowledgeIds(ids: ReadonlyMap<string, string[]>): Promise<number> {
    const replies = await this.#commands.pipeline((pipeline) => {
      for (const [stream, entryIds] of ids) pipeline.xack(stream, this.#options.group, ...entryIds);
    });
    return (replies as number[]).reduce((sum, count) => sum + count, 0);
  }

  /** Once for each pair of connections: a new one may lead to a server without memory. */
  async #ensureGroups(): Promise<void> {
    await this.#groups.ensure(this.#blocking.generation + this.#commands.generation);
  }

  async #learnBlockingId(): Promise<void> {
    const { generation } = this.#blocking;
    if (this.#blockingId?.generation === generation) return;
    const id = await this.#blocking.run((client) => client.client('ID'));
    this.#blockingId = { generation, id };
  }

  /** Ends a blocked read without losing its reply, as closing the connection would. */
  async #unblock(reading: () => boolean): Promise<void> {
    while (reading()) {
      const id = this.#blockingId?.id;
      try {
        if (id !== undefined) await this.#commands.run((client) => client.client('UNBLOCK', id));
      } catch {
        // Redis is gone: there is no reply left to lose.
        this.#blocking.drop('UNBLOCK');
      }
      await this.#clock.sleep(UNBLOCK_EVERY_MS);
    }
  }
}
