import type { Log } from '../../log.ts';
import type { RedisConnection } from './connections.ts';
import { toRedisFault } from './redis-fault.ts';
import { STREAM_PARTITIONS_MAX, streamName } from './stream-names.ts';

export interface StreamGroupsOptions {
  readonly stream: string;
  readonly partitions: number;
  readonly group: string;
  readonly log: Log;
}

/** The consumer group on every partition, made where it is missing. */
export class StreamGroups {
  readonly #connection: RedisConnection;
  readonly #options: StreamGroupsOptions;
  /** For which connections the groups are known to exist; 0: for none. */
  #generation = 0;
  #streams: readonly string[] = [];

  constructor(connection: RedisConnection, options: StreamGroupsOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** The partitions found last. */
  get streams(): readonly string[] {
    return this.#streams;
  }

  /** Redis says that a group is gone. */
  forget(): void {
    this.#generation = 0;
  }

  async ensure(generation: number): Promise<void> {
    if (this.#generation === generation && this.#streams.length > 0) return;
    for (const stream of await this.findPartitions()) await this.#make(stream);
    this.#generation = generation;
  }

  /** The partitions of this pod's own setting, and those beyond it that pods with a larger one have made. */
  async findPartitions(): Promise<readonly string[]> {
    const { stream, partitions } = this.#options;
    const names = Array.from({ length: STREAM_PARTITIONS_MAX }, (_, partition) =>
      streamName(stream, partition),
    );
    const exist = await this.#connection.pipeline((pipeline) => {
      for (const name of names) pipeline.exists(name);
    });
    const streams = names.filter((_, partition) => partition < partitions || exist[partition] === 1);
    if (streams.some((name) => !this.#streams.includes(name))) this.forget();
    this.#streams = streams;
    return streams;
  }

  async #make(stream: string): Promise<void> {
    const { group, log } = this.#options;
    try {
      // At 0: what dispatchers put there while no consumer ran is delivered.
      await this.#connection.run((client) => client.xgroup('CREATE', stream, group, '0', 'MKSTREAM'));
      log.info('consumer_group_created', { stream, group });
    } catch (error) {
      if (toRedisFault(error).reason !== 'BUSYGROUP') throw error;
    }
  }
}
