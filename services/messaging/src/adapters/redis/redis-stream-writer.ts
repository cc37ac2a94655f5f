import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { systemClock, type Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { StreamAppend, StreamMessage, StreamWriter } from '../../ports.ts';
import { REDIS_COMMAND_TIMEOUT_MS, RedisConnection } from './connections.ts';
import { RedisFault, replyFault, toRedisFault } from './redis-fault.ts';
import { pushStreamEntry, STREAM_ENTRY_WIDTH } from './stream-entry.ts';
import { streamName } from './stream-names.ts';

/** A script call carries about this much, so that a full batch of the largest messages is not taken for a stall. */
const PIECE_MAX_CHARACTERS = 1024 * 1024;
/** An append that takes longer ends with what it has: the caller holds a transaction open meanwhile. */
const APPEND_MAX_MS = 3_000;

/**
 * One script call for a batch, against a plain pipeline of `XADD`s, 256 entries of 0.7 KB at a time, Redis 7.0
 * (CPU-µs an entry, client + server): script 8.5 + 5.3, pipeline 9.3–11.8 + 3.1–3.7; with 8 KB 17 + 22 against
 * 26–34 + 14–24. The script costs Redis 2 µs more an entry, the same in all, and is the only one of the two that
 * stops at the first refused entry.
 */
const SCRIPT = readFileSync(new URL('./append-entries.lua', import.meta.url), 'utf8');
const SCRIPT_SHA = createHash('sha1').update(SCRIPT).digest('hex');

export interface RedisStreamWriterOptions {
  readonly url: string;
  /** `DISPATCH_STREAM_NAME`. */
  readonly stream: string;
  /** `REDIS_STREAM_MAXLEN`, for each partition. */
  readonly maxLength: number;
  readonly log: Log;
  readonly clock?: Clock;
}

/** The dispatcher's end of the stream, on a connection of its own. */
export class RedisStreamWriter implements StreamWriter {
  readonly #connection: RedisConnection;
  readonly #stream: string;
  readonly #maxLength: string;
  readonly #clock: Clock;

  constructor({ url, stream, maxLength, log, clock = systemClock }: RedisStreamWriterOptions) {
    this.#connection = new RedisConnection({ url, name: 'dispatcher', log, clock });
    this.#stream = stream;
    this.#maxLength = String(maxLength);
    this.#clock = clock;
  }

  start(): void {
    this.#connection.start();
  }

  close(): void {
    this.#connection.close();
  }

  get available(): boolean {
    return this.#connection.ready;
  }

  async append(partition: number, entries: readonly StreamMessage[]): Promise<StreamAppend> {
    const startedAt = this.#clock.monotonic();
    let appended = 0;
    try {
      while (appended < entries.length) {
        if (this.#clock.monotonic() - startedAt > APPEND_MAX_MS) throw new RedisFault('outage', 'SLOW');
        const [count, refused] = await this.#appendPiece(partition, entries, appended);
        appended += count;
        if (refused !== undefined) throw replyFault(refused);
      }
      return { appended };
    } catch (error) {
      const { kind, reason } = toRedisFault(error);
      return { appended, failure: { kind: kind === 'reply' ? 'entry' : kind, reason } };
    }
  }

  async ping(): Promise<boolean> {
    try {
      if (!(await this.#connection.whenReady(REDIS_COMMAND_TIMEOUT_MS))) return false;
      await this.#connection.run((client) => client.ping());
      return true;
    } catch {
      return false;
    }
  }

  onMemoryLost(listener: () => void): void {
    // A restart, a failover, another run id: each of them is seen as a lost connection first.
    this.#connection.onReady(() => {
      if (this.#connection.generation > 1) listener();
    });
  }

  /** How many were appended, and Redis' words if it refused the next one. */
  #appendPiece(
    partition: number,
    entries: readonly StreamMessage[],
    from: number,
  ): Promise<[count: number, refused?: string]> {
    const args: string[] = [this.#maxLength, String(STREAM_ENTRY_WIDTH)];
    let characters = 0;
    for (let i = from; i < entries.length; i++) {
      const entry = entries[i] as StreamMessage;
      characters += entry.message.payload.reveal().length;
      if (i > from && characters > PIECE_MAX_CHARACTERS) break;
      pushStreamEntry(args, entry);
    }
    const key = streamName(this.#stream, partition);
    return this.#connection.run((client) => evaluate(client, key, args));
  }
}

async function evaluate(client: Redis, key: string, args: string[]): Promise<[number, string?]> {
  try {
    return (await client.evalsha(SCRIPT_SHA, 1, key, ...args)) as [number, string?];
  } catch (error) {
    // A server that never saw the script, or has restarted since: EVAL leaves it there for the next call.
    if (toRedisFault(error).reason !== 'NOSCRIPT') throw error;
    return (await client.eval(SCRIPT, 1, key, ...args)) as [number, string?];
  }
}
