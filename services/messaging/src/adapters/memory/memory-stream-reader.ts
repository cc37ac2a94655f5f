import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { StreamEntry, StreamReader } from '../../ports.ts';
import { connectionLost, type MemoryConnection } from './memory-connection.ts';
import type { MemoryGroup } from './memory-group.ts';
import type { MemoryRedis } from './memory-redis.ts';
import type { MemoryStream } from './memory-stream.ts';

export interface MemoryStreamReaderOptions {
  readonly group: string;
  readonly consumer: string;
  readonly partitions?: number;
  readonly batchSize: number;
  readonly blockMs: number;
  readonly claimIdleMs: number;
}

type Options = MemoryStreamReaderOptions & {
  readonly clock: Clock;
  readonly log: Log;
  readonly connection: MemoryConnection;
};

export class MemoryStreamReader implements StreamReader {
  readonly connection: MemoryConnection;
  readonly #redis: MemoryRedis;
  readonly #options: Options;
  #trimmedUnread = 0;

  constructor(redis: MemoryRedis, options: Options) {
    this.#redis = redis;
    this.#options = options;
    this.connection = options.connection;
  }

  onReconnect(listener: () => void): void {
    this.connection.onReady(listener);
  }

  readNew(signal: AbortSignal): Promise<StreamEntry[]> {
    if (signal.aborted) return Promise.resolve([]);
    return this.connection.call(() => this.#block(signal));
  }

  readOwnPending(after: ReadonlyMap<string, string> | undefined): Promise<StreamEntry[]> {
    const { consumer, batchSize } = this.#options;
    return this.connection.call(() =>
      this.#groups().flatMap(([stream, group]) =>
        group.ownPending(consumer, after?.get(stream.name), batchSize),
      ),
    );
  }

  claimIdle(): Promise<StreamEntry[]> {
    const { consumer, batchSize, claimIdleMs } = this.#options;
    return this.connection.call(() =>
      this.#groups().flatMap(([, group]) => group.claim(consumer, claimIdleMs, batchSize)),
    );
  }

  acknowledge(entries: readonly StreamEntry[]): Promise<number> {
    return this.connection.call(() => {
      const groups = new Map(this.#groups().map(([stream, group]) => [stream.name, group]));
      return entries.filter(({ stream, entryId }) => groups.get(stream)?.acknowledge(entryId)).length;
    });
  }

  figures(): ReturnType<StreamReader['figures']> {
    return this.connection.call(() => {
      const now = this.#options.clock.now();
      const groups = this.#groups();
      const figures = {
        pending: groups.reduce((sum, [, group]) => sum + group.pending, 0),
        length: Math.max(0, ...groups.map(([stream]) => stream.length)),
        unread: Math.max(0, ...groups.map(([, group]) => group.unread)),
        oldestUnreadSeconds:
          Math.max(0, ...groups.map(([, group]) => now - (group.oldestUnreadAt ?? now))) / 1000,
        trimmedUnread: this.#trimmedUnread,
      };
      this.#trimmedUnread = 0;
      return figures;
    });
  }

  /** Until there is something to read, the block time has passed, or the caller or the connection gives up. */
  #block(signal: AbortSignal): Promise<StreamEntry[]> {
    const { clock, blockMs } = this.#options;
    const { broken } = this.connection;
    // While the command was on its way.
    if (signal.aborted) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const stopWaiting = () => {
        timer.cancel();
        forget();
        signal.removeEventListener('abort', interrupt);
        broken.removeEventListener('abort', giveUp);
      };
      const finish = (entries: StreamEntry[]) => {
        stopWaiting();
        resolve(entries);
      };
      const interrupt = () => finish([]);
      const look = () => {
        const entries = this.#read();
        if (entries.length > 0) finish(entries);
      };
      const giveUp = () => {
        stopWaiting();
        reject(connectionLost());
      };
      const timer = clock.setTimer(blockMs, () => finish([]));
      // Removed by hand: with a `signal` of their own the listeners, and all that they know, would outlive the run.
      signal.addEventListener('abort', interrupt);
      broken.addEventListener('abort', giveUp);
      const forget = this.#redis.onChange(look);
      look();
    });
  }

  #read(): StreamEntry[] {
    const { consumer, batchSize } = this.#options;
    return this.#groups().flatMap(([, group]) => {
      const { entries, skipped } = group.read(consumer, batchSize);
      this.#trimmedUnread += skipped;
      return entries;
    });
  }

  /** The group on every partition, made where it is missing. */
  #groups(): [MemoryStream, MemoryGroup][] {
    const { group, partitions = 1, log } = this.#options;
    return this.#redis.partitions(partitions).map((partition) => {
      const stream = this.#redis.stream(partition);
      if (stream.createGroup(group)) log.info('consumer_group_created', { stream: stream.name, group });
      return [stream, stream.group(group) as MemoryGroup];
    });
  }
}
