import type { Clock } from '../clock.ts';
import { jittered } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { BusSubscriber, Channel } from '../ports.ts';

/** Channels in one SUBSCRIBE: 100,000 at once stop Redis for seconds, 500 for tens of milliseconds. */
const PIECE_CHANNELS = 500;
/** Pause between pieces, jittered: twenty pods come back at the same moment. */
const PIECE_PAUSE_MS = 20;
const RETRY_MS = 500;

interface Held {
  confirmed: boolean;
  /** Told once: true when confirmed, false when it cannot be had now. */
  waiters: ((confirmed: boolean) => void)[];
}

/**
 * The channels that this pod listens to. The bus knows only one connection's subscriptions; this class knows what
 * is wanted, and makes it so again after the connection was lost, in pieces: the most active channels first, then
 * those that were wanted last. What somebody waits for goes before all of them.
 * `onConfirmed` is called with every piece that a new connection has confirmed after a loss: whatever was
 * published meanwhile was not heard, so the hub compares those conversations with the log.
 */
export class Subscriptions {
  readonly #bus: BusSubscriber;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onConfirmed: (channels: readonly Channel[]) => void;
  readonly #mostActive: () => readonly Channel[];
  readonly #wanted = new Map<Channel, Held>();
  /** Users' that a session waits for to begin; conversations' that a feed waits for; whatever is to be had again. */
  #queues: Record<'users' | 'conversations' | 'again', Channel[]> = {
    users: [],
    conversations: [],
    again: [],
  };
  #working = false;
  /** Counts connections: a confirmation of an earlier one means nothing. */
  #generation = 0;
  #stopped = false;

  constructor(options: {
    bus: BusSubscriber;
    clock: Clock;
    log: Log;
    onConfirmed: (channels: readonly Channel[]) => void;
    /** Channels that are subscribed before all others after a loss, the first one first. */
    mostActive?: () => readonly Channel[];
  }) {
    this.#bus = options.bus;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onConfirmed = options.onConfirmed;
    this.#mostActive = options.mostActive ?? (() => []);
    this.#bus.onLost(() => this.#lost());
    this.#bus.onReady(() => this.#ready());
  }

  /**
   * Wants a channel. Resolves with true once its subscription is confirmed, with false when the bus is down:
   * then the log is read without it, and `onConfirmed` follows when it is back.
   */
  hold(channel: Channel): Promise<boolean> {
    let held = this.#wanted.get(channel);
    if (held === undefined) {
      held = { confirmed: false, waiters: [] };
      this.#wanted.set(channel, held);
    }
    if (held.confirmed) return Promise.resolve(true);
    if (!this.#bus.connected) return Promise.resolve(false);
    if (held.waiters.length === 0) {
      this.#queues[channel.startsWith('u:') ? 'users' : 'conversations'].push(channel);
      this.#work();
    }
    return new Promise((resolve) => held.waiters.push(resolve));
  }

  drop(channel: Channel): void {
    const held = this.#wanted.get(channel);
    if (held === undefined) return;
    this.#wanted.delete(channel);
    for (const tell of held.waiters) tell(false);
    if (!held.confirmed || !this.#bus.connected) return;
    // Wanted again meanwhile? Commands of one connection keep their order, so its SUBSCRIBE comes behind this.
    this.#bus.unsubscribe([channel]).catch(() => {});
  }

  stop(): void {
    this.#stopped = true;
    this.#lost();
  }

  #lost(): void {
    this.#generation += 1;
    for (const held of this.#wanted.values()) {
      held.confirmed = false;
      for (const tell of held.waiters.splice(0)) tell(false);
    }
  }

  #ready(): void {
    const first = this.#mostActive().filter((channel) => this.#wanted.has(channel));
    const again = [...new Set([...first, ...[...this.#wanted.keys()].reverse()])];
    this.#queues = { users: [], conversations: [], again };
    this.#work();
  }

  #work(): void {
    if (this.#working || this.#stopped) return;
    this.#working = true;
    queueMicrotask(() => {
      void this.#subscribePieces().finally(() => {
        this.#working = false;
        if (this.#hasMore && this.#bus.connected) this.#work();
      });
    });
  }

  get #hasMore(): boolean {
    return Object.values(this.#queues).some((queue) => queue.length > 0);
  }

  #takePiece(): Channel[] {
    const { users, conversations, again } = this.#queues;
    const piece = new Set<Channel>();
    for (const queue of [users, conversations, again]) {
      for (const channel of queue.splice(0, PIECE_CHANNELS - piece.size)) piece.add(channel);
    }
    return [...piece].filter((channel) => this.#wanted.get(channel)?.confirmed === false);
  }

  async #subscribePieces(): Promise<void> {
    while (this.#hasMore && this.#bus.connected && !this.#stopped) {
      const piece = this.#takePiece();
      if (piece.length === 0) continue;
      const generation = this.#generation;
      try {
        await this.#bus.subscribe(piece);
      } catch (error) {
        this.#log.warn('subscribe_failed', { reason: reasonOf(error), channels: piece.length });
        // Those who wait go on without; a lost connection starts all over when it is back.
        for (const channel of piece)
          for (const tell of this.#wanted.get(channel)?.waiters.splice(0) ?? []) tell(false);
        await this.#clock.sleep(jittered(this.#clock, RETRY_MS));
        if (this.#bus.connected) this.#queues.again.push(...piece);
        continue;
      }
      if (generation !== this.#generation) continue;
      const late: Channel[] = [];
      const unwanted: Channel[] = [];
      for (const channel of piece) {
        const held = this.#wanted.get(channel);
        if (held === undefined) {
          // Dropped while its SUBSCRIBE was under way.
          unwanted.push(channel);
          continue;
        }
        held.confirmed = true;
        if (held.waiters.length === 0) late.push(channel);
        for (const tell of held.waiters.splice(0)) tell(true);
      }
      if (unwanted.length > 0) this.#bus.unsubscribe(unwanted).catch(() => {});
      // Nobody waited for these: they were lost before, and are compared with the log now.
      if (late.length > 0) this.#onConfirmed(late);
      if (this.#hasMore) await this.#clock.sleep(jittered(this.#clock, PIECE_PAUSE_MS));
    }
  }
}
