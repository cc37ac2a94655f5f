import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { BusMessage, BusPublisher } from '../../ports.ts';
import { ChannelNames } from './channels.ts';
import { RedisConnection } from './connections.ts';

/** A pipeline carries about this much, so that a full batch of the largest frames has time for its reply. */
const PIECE_MAX_BYTES = 1024 * 1024;

export interface RedisBusPublisherOptions {
  readonly url: string;
  readonly installationId: string;
  readonly log: Log;
  readonly clock?: Clock;
}

/** `PUBLISH` in pipelines, on a connection of its own. */
export class RedisBusPublisher implements BusPublisher {
  readonly #connection: RedisConnection;
  readonly #names: ChannelNames;

  constructor({ installationId, ...connection }: RedisBusPublisherOptions) {
    this.#connection = new RedisConnection({ ...connection, name: 'publisher' });
    this.#names = new ChannelNames(installationId);
  }

  start(): void {
    this.#connection.start();
  }

  close(): void {
    this.#connection.close();
  }

  get connected(): boolean {
    return this.#connection.ready;
  }

  async publish(messages: readonly BusMessage[]): Promise<void> {
    for (let from = 0; from < messages.length;) {
      let bytes = 0;
      let to = from;
      while (to < messages.length) {
        bytes += (messages[to] as BusMessage).bytes.length;
        if (to > from && bytes > PIECE_MAX_BYTES) break;
        to += 1;
      }
      const piece = messages.slice(from, to);
      await this.#connection.pipeline((pipeline) => {
        for (const message of piece) pipeline.publish(this.#names.toRedis(message.channel), message.bytes);
      });
      from = to;
    }
  }
}
