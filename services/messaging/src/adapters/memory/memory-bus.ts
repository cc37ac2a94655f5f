import type { Clock } from '../../clock.ts';
import type { BusMessage, BusPublisher, BusSubscriber, Channel } from '../../ports.ts';
import { MemoryConnection } from './memory-connection.ts';

export interface MemoryBusOptions {
  readonly clock: Clock;
  /** How long a command is under way, each way; default: 0. */
  readonly latencyMs?: () => number;
}

/**
 * Pub/Sub in memory, as unreliable as it is told to be. Every subscriber is a connection of its own, and loses
 * its subscriptions with it.
 */
export class MemoryBus {
  /** Whether this copy of a message gets lost; drawn for each subscriber. */
  loses: (message: BusMessage) => boolean = () => false;
  /** How long this copy takes; different times put messages out of order. */
  delaysMs: (message: BusMessage) => number = () => 0;
  readonly #clock: Clock;
  readonly #latencyMs: () => number;
  readonly #connections = new Set<MemoryConnection>();
  readonly #subscribers = new Set<MemoryBusSubscriber>();
  #up = true;

  constructor({ clock, latencyMs = () => 0 }: MemoryBusOptions) {
    this.#clock = clock;
    this.#latencyMs = latencyMs;
  }

  publisher(): BusPublisher & { readonly connection: MemoryConnection } {
    const connection = this.#connect();
    return {
      connection,
      publish: (messages) =>
        connection.call(() => {
          for (const message of messages) this.#deliver(message);
        }),
    };
  }

  subscriber(): MemoryBusSubscriber {
    const connection = this.#connect();
    const subscriber = new MemoryBusSubscriber(connection);
    this.#subscribers.add(subscriber);
    return subscriber;
  }

  goDown(): void {
    this.#up = false;
    for (const connection of this.#connections) connection.break();
  }

  comeUp(): void {
    this.#up = true;
    for (const connection of this.#connections) connection.restore();
  }

  /** Every connection breaks, and is made again. */
  loseConnections(): void {
    this.goDown();
    this.comeUp();
  }

  #connect(): MemoryConnection {
    const connection = new MemoryConnection({ clock: this.#clock, latencyMs: this.#latencyMs, up: this.#up });
    this.#connections.add(connection);
    return connection;
  }

  #deliver(message: BusMessage): void {
    for (const subscriber of this.#subscribers) {
      if (!subscriber.has(message.channel) || this.loses(message)) continue;
      const delayMs = this.delaysMs(message);
      const arrive = subscriber.courier(message);
      if (delayMs > 0) this.#clock.setTimer(delayMs, arrive);
      else queueMicrotask(arrive);
    }
  }
}

export class MemoryBusSubscriber implements BusSubscriber {
  readonly connection: MemoryConnection;
  readonly #channels = new Set<Channel>();
  readonly #listeners: ((channel: Channel, bytes: Buffer) => void)[] = [];

  constructor(connection: MemoryConnection) {
    this.connection = connection;
    connection.onLost(() => this.#channels.clear());
  }

  get connected(): boolean {
    return this.connection.up;
  }

  /** Subscribed, as the server sees it. */
  has(channel: Channel): boolean {
    return this.#channels.has(channel);
  }

  subscribe(channels: readonly Channel[]): Promise<void> {
    return this.connection.call(() => {
      for (const channel of channels) this.#channels.add(channel);
    });
  }

  async unsubscribe(channels: readonly Channel[]): Promise<void> {
    const { broken } = this.connection;
    if (!this.connection.up) return;
    await this.connection
      .call(() => {
        for (const channel of channels) this.#channels.delete(channel);
      })
      .catch((error: unknown) => {
        if (!broken.aborted) throw error;
      });
  }

  onMessage(listener: (channel: Channel, bytes: Buffer) => void): void {
    this.#listeners.push(listener);
  }

  onLost(listener: () => void): void {
    this.connection.onLost(listener);
  }

  onReady(listener: () => void): void {
    this.connection.onReady(listener);
  }

  /** Hands over a message unless the connection that it was sent on has broken meanwhile. */
  courier({ channel, bytes }: BusMessage): () => void {
    const { broken } = this.connection;
    return () => {
      if (broken.aborted) return;
      for (const listener of this.#listeners) listener(channel, bytes);
    };
  }
}
