import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { systemClock, type Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { StreamAppend, StreamMessage, StreamServer, StreamWriter } from '../../ports.ts';
import { REDIS_COMMAND_TIMEOUT_MS, RedisConnection } from './connections.ts';
import { replyFault, toRedisFault, type RedisFault } from './redis-fault.ts';
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
    const key = streamName(this.#stream, partition);
    const startedAt = this.#clock.monotonic();
    let appended = 0;
    while (appended < entries.length) {
      const slow = this.#clock.monotonic() - startedAt > APPEND_MAX_MS;
      const piece = pieceOf(entries, appended);
      const result = slow ? { appended: 0, failure: SLOW } : await this.#appendPiece(key, piece);
      appended += result.appended;
      if (result.failure !== undefined) return { appended, failure: result.failure };
    }
    return { appended };
  }

  async ping(): Promise<boolean> {
    // A connection that broke unnoticed fails the first time; the second time it is a new one.
    for (let attempt = 0; attempt < 2; attempt++) {
      if (!(await this.#connection.whenReady(REDIS_COMMAND_TIMEOUT_MS))) return false;
      try {
        await this.#connection.run((client) => client.ping());
        return true;
      } catch (error) {
        if (toRedisFault(error).kind !== 'connection') return false;
      }
    }
    return false;
  }

  onConnected(listener: (server: StreamServer) => void): void {
    this.#connection.onReady((_client, { life }) => {
      const { generation, downMs } = this.#connection;
      listener({ life, reconnected: generation > 1, downMs });
    });
  }

  async #appendPiece(key: string, piece: readonly StreamMessage[]): Promise<StreamAppend> {
    const args = [this.#maxLength, String(STREAM_ENTRY_WIDTH)];
    for (const entry of piece) pushStreamEntry(args, entry);
    try {
      const [appended, refused] = await this.#connection.run((client) => evaluate(client, key, args));
      if (refused === undefined) return { appended };
      const fault = replyFault(refused);
      // Demoted; said inside a reply that is none of an error, so the connection could not see it.
      if (fault.reason === 'READONLY') this.#connection.drop('READONLY');
      return { appended, failure: entryFailure(fault) };
    } catch (error) {
      const fault = toRedisFault(error);
      // The whole call was refused: alone in it, an entry is to blame; among others, nobody knows which.
      const alone = fault.kind === 'reply' && piece.length === 1;
      return { appended: 0, failure: alone ? entryFailure(fault) : callFailure(fault) };
    }
  }
}

const SLOW = { kind: 'outage', reason: 'SLOW' } as const;

type Failure = NonNullable<StreamAppend['failure']>;

function entryFailure({ kind, reason }: RedisFault): Failure {
  return { kind: kind === 'reply' ? 'entry' : kind, reason };
}

function callFailure({ kind, reason }: RedisFault): Failure {
  return { kind: kind === 'reply' ? 'connection' : kind, reason };
}

/** The entries from `from` on that go in one call: at least one. */
function pieceOf(entries: readonly StreamMessage[], from: number): readonly StreamMessage[] {
  let characters = 0;
  let to = from;
  for (; to < entries.length; to++) {
    characters += (entries[to] as StreamMessage).message.payload.reveal().length;
    if (to > from && characters > PIECE_MAX_CHARACTERS) break;
  }
  return entries.slice(from, to);
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
