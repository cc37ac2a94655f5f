import type { Redis } from 'ioredis';
import { jittered, systemClock, type Clock, type Timer } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { BusSubscriber, Channel } from '../../ports.ts';
import { ChannelNames } from './channels.ts';
import { RedisConnection } from './connections.ts';
import { RedisFault } from './redis-fault.ts';

/** 20 pods that subscribed 100,000 channels at once stopped Redis for 1.55 s; in pieces of 500 for 69 ms. */
const SUBSCRIBE_PIECE = 500;
/** Twenty pods may be at it at the same time. */
const SUBSCRIBE_TIMEOUT_MS = 5_000;
/** A dead host sends nothing, and so does a quiet one: a ping tells them apart. */
const PING_EVERY_MS = 5_000;

export interface RedisBusSubscriberOptions {
  readonly url: string;
  readonly installationId: string;
  readonly log: Log;
  readonly clock?: Clock;
}

/**
 * Subscriptions, on a connection of their own. Every connection begins with none: who wants them back subscribes
 * again at `onReady`, in an order and at a pace of its own (the driver would ask for all of them at once).
 */
export class RedisBusSubscriber implements BusSubscriber {
  readonly #connection: RedisConnection;
  readonly #names: ChannelNames;
  readonly #clock: Clock;
  readonly #listeners: ((channel: Channel, bytes: Buffer) => void)[] = [];
  #ping: Timer | undefined;

  constructor({ installationId, clock = systemClock, ...connection }: RedisBusSubscriberOptions) {
    this.#connection = new RedisConnection({ ...connection, clock, name: 'subscriber' });
    this.#names = new ChannelNames(installationId);
    this.#clock = clock;
    this.#connection.onReady((client) => this.#serve(client));
    this.#connection.onLost(() => this.#ping?.cancel());
  }

  start(): void {
    this.#connection.start();
  }

  close(): void {
    this.#ping?.cancel();
    this.#connection.close();
  }

  get connected(): boolean {
    return this.#connection.ready;
  }

  onMessage(listener: (channel: Channel, bytes: Buffer) => void): void {
    this.#listeners.push(listener);
  }

  onLost(listener: () => void): void {
    this.#connection.onLost(listener);
  }

  onReady(listener: () => void): void {
    this.#connection.onReady(() => listener());
  }

  async subscribe(channels: readonly Channel[]): Promise<void> {
    const { generation } = this.#connection;
    for (const piece of this.#pieces(channels)) {
      await this.#run(generation, (client) => client.subscribe(...piece));
    }
  }

  async unsubscribe(channels: readonly Channel[]): Promise<void> {
    const { generation } = this.#connection;
    try {
      for (const piece of this.#pieces(channels)) {
        await this.#run(generation, (client) => client.unsubscribe(...piece));
      }
    } catch (error) {
      // With the connection its subscriptions are gone, which is what was wanted.
      if (generation === this.#connection.generation && this.#connection.ready) throw error;
    }
  }
  /** A later piece must not go to a connection that lacks the earlier ones. */
  #run<T>(generation: number, use: (client: Redis) => Promise<T>): Promise<T> {
    if (this.#connection.generation !== generation) throw new RedisFault('connection', 'CLOSED');
    return this.#connection.run(use, SUBSCRIBE_TIMEOUT_MS);
  }

  *#pieces(channels: readonly Channel[]): Iterable<string[]> {
    for (let from = 0; from < channels.length; from += SUBSCRIBE_PIECE) {
      yield channels.slice(from, from + SUBSCRIBE_PIECE).map((channel) => this.#names.toRedis(channel));
    }
  }

  #serve(client: Redis): void {
    // Buffers: a frame's bytes go on to the sockets as they came.
    client.on('messageBuffer', (name: Buffer, bytes: Buffer) => {
      const channel = this.#names.fromRedis(name);
      for (const listener of this.#listeners) listener(channel, bytes);
    });
    this.#pingLater();
  }

  #pingLater(): void {
    this.#ping?.cancel();
    this.#ping = this.#clock.setTimer(jittered(this.#clock, PING_EVERY_MS), () => {
      // Failing, it has destroyed the connection, and the next one pings again.
      this.#connection
        .run((client) => client.ping())
        .then(
          () => this.#pingLater(),
          () => {},
        );
    });
  }
}
