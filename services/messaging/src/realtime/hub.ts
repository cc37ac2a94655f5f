import { CLOSE, formatTime } from '@sanctum/protocol';
import type { Clock } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { BusSubscriber, Channel, ReaderLog } from '../ports.ts';
import { Stopped } from './batcher.ts';
import { decodeBusFrame } from './bus-frame.ts';
import type { Connection } from './connection.ts';
import type { Epochs } from './epochs.ts';
import type { Feed } from './feed.ts';
import { Feeds } from './feeds.ts';
import { HeadChecks } from './head-checks.ts';
import { LocalUsers } from './local-users.ts';
import type { Position } from './position.ts';
import { Reads } from './reads.ts';
import { Session } from './session.ts';
import { Subscriptions } from './subscriptions.ts';
import { sweepSession, SWEEP_EVERY_MS } from './sweep.ts';
import type { TokenVerifier, VerifiedToken } from './token.ts';

const SECOND = 1000;
/** Versions of all local users are compared this often. */
const VERSIONS_EVERY_MS = 5 * SECOND;
/** After the bus was lost, all heads are checked within this. */
const CHECK_ALL_WITHIN_MS = 5 * SECOND;
/** Of all connections, those that have not said who they are: whoever has no token cannot take the whole pod. */
const STRANGERS_SHARE_MAX = 0.5;
/** A small pod may be full of clients that all came at once. */
const STRANGERS_MIN = 100;
const RETRY_HINT_MIN_MS = SECOND;
const RETRY_HINT_SPREAD_MS = 4 * SECOND;

export interface HubSettings {
  readonly heartbeatMs: number;
  readonly payloadMaxBytes: number;
  readonly maxClients: number;
}

/**
 * The WebSocketHub: sessions on one side, feeds on the other. What comes from the bus goes to the feed of its
 * conversation, which marks positions due; whoever is due is flushed once at the end of the turn, so that many
 * messages become one write to a socket.
 */
export class Hub {
  readonly settings: HubSettings;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly epochs: Epochs;
  readonly feeds: Feeds;
  readonly users: LocalUsers;
  readonly reads: Reads;
  readonly sessions = new Set<Session>();
  /** Those of them that have not said hello, the oldest first. */
  readonly #strangers = new Set<Session>();
  draining = false;
  #deliveryPaused = false;
  #deadlineAt = 0;
  readonly #checks: HeadChecks;
  readonly #verifier: TokenVerifier;
  readonly #subscriptions: Subscriptions;
  readonly #stopped = new AbortController();
  readonly #verifying = new Set<Feed>();
  #scheduled = new Set<Session>();
  #loops: Promise<unknown> = Promise.resolve();

  constructor(options: {
    settings: HubSettings;
    clock: Clock;
    metrics: Metrics;
    log: Log;
    epochs: Epochs;
    reader: ReaderLog;
    bus: BusSubscriber;
    verifier: TokenVerifier;
  }) {
    const { clock, metrics, log, epochs, reader, bus } = options;
    this.settings = options.settings;
    this.clock = clock;
    this.metrics = metrics;
    this.log = log;
    this.epochs = epochs;
    this.#verifier = options.verifier;
    this.reads = new Reads({
      log,
      reader,
      clock,
      epochs,
      onMissing: (count) => {
        metrics.hubMissing.inc(count);
        log.error('log_rows_missing', { count });
      },
    });
    this.#subscriptions = new Subscriptions({
      bus,
      clock,
      log,
      onConfirmed: (channels) => this.#confirmedAgain(channels),
      mostActive: () => this.feeds.recentChannels(),
    });
    this.feeds = new Feeds({
      reads: this.reads,
      subscriptions: this.#subscriptions,
      clock,
      metrics,
      log,
      onDue: (position) => position.session.due(position),
    });
    this.users = new LocalUsers({ reads: this.reads, reader, subscriptions: this.#subscriptions, log });
    this.#checks = new HeadChecks({
      feeds: this.feeds,
      reader,
      epochs,
      clock,
      log,
      onRewound: () => this.restart(),
    });
    epochs.onChange(() => this.restart());
    bus.onMessage((channel, bytes) => this.#heard(channel, bytes));
    bus.onLost(() => void this.#checks.checkAll(CHECK_ALL_WITHIN_MS));
  }

  start(): void {
    const { signal } = this.#stopped;
    const every = async (periodMs: number, work: () => unknown) => {
      while (!signal.aborted) {
        await this.clock.sleep(periodMs, signal);
        try {
          await work();
        } catch (error) {
          this.log.warn('hub_round_failed', { reason: reasonOf(error) });
        }
      }
    };
    this.#loops = Promise.all([
      this.#checks.run(signal),
      every(VERSIONS_EVERY_MS, () => this.users.compareVersions()),
      every(VERSIONS_EVERY_MS, () => this.epochs.learn()),
      every(SWEEP_EVERY_MS, () => this.#sweep()),
    ]);
  }

  /** A new connection; its frames go to the session that is returned. */
  connect(connection: Connection, headerToken: string | undefined): Session {
    const session = new Session({ connection, hub: this, verifier: this.#verifier, headerToken });
    this.sessions.add(session);
    this.#strangers.add(session);
    this.metrics.transportConnections.inc();
    this.metrics.transportConnectionsActive.set(this.sessions.size);
    this.#makeRoom();
    if (session.state !== 'closed') session.begin();
    return session;
  }

  /** A session has said who it is. */
  met(session: Session): void {
    this.#strangers.delete(session);
  }

  /** Where there are too many, whoever has been silent for the longest goes: clients say hello within a round trip. */
  #makeRoom(): void {
    const { maxClients } = this.settings;
    const strangersMax = Math.max(STRANGERS_MIN, maxClients * STRANGERS_SHARE_MAX);
    if (this.sessions.size <= maxClients && this.#strangers.size <= strangersMax) return;
    for (const longest of this.#strangers) return longest.close(CLOSE.try_later, this.retryHintMs());
  }

  forget(session: Session): void {
    this.sessions.delete(session);
    this.#strangers.delete(session);
    this.#scheduled.delete(session);
    this.metrics.transportConnectionsActive.set(this.sessions.size);
    this.users.leave(session);
  }

  /** Open connections of a user; those that have been told to go do not count. */
  connectionsOf(userId: string): number {
    let count = 0;
    for (const reader of this.users.readersOf(userId)) if (!(reader as Session).goingAway) count += 1;
    return count;
  }

  /** Flushes the session at the end of this turn. */
  schedule(session: Session): void {
    if (this.#scheduled.size === 0) queueMicrotask(() => this.#flush());
    this.#scheduled.add(session);
  }

  /** Hears of everything that passes in a conversation, `live` when the bus brought it: the synthetic message's end. */
  observe(conversationId: string, listener: (arrival: { seq: number; live: boolean }) => void): void {
    this.feeds.use(conversationId).observer = (item) => {
      if (item.kind === 'message') listener({ seq: item.to, live: item.live });
    };
  }

  /** A message of the feed is newer than the membership of some reader: they are checked before it goes out. */
  verifyMembers(feed: Feed): void {
    if (this.#verifying.has(feed)) return;
    this.#verifying.add(feed);
    const positions = [...feed.positions].filter((position) => !position.isOperators);
    const userIds = [...new Set(positions.map((position) => position.session.userId))];
    this.reads
      .members(feed.conversationId, userIds)
      .then((answer) => {
        this.#verifying.delete(feed);
        for (const position of positions) {
          if (!feed.positions.has(position)) continue;
          const { session } = position;
          session.applyMember(position, answer?.members.get(session.userId), answer?.membersVersion ?? 0);
        }
        // Whoever came meanwhile asks again when it is their turn.
        for (const position of feed.positions) position.session.due(position);
      })
      .catch((error: unknown) => this.#background(error));
  }

  /**
   * Reads a position's replay window and sends what is in it, as far as the credit goes. Its messages are older than
   * any membership, so their own members_version cannot tell of a removal: the membership is read after them.
   */
  sendReplays(position: Position): void {
    if (position.reading) return;
    position.reading = true;
    const { session, feed } = position;
    const from = Math.max(position.replayFrom, position.joinedSeq);
    const to = Math.min(position.replayTo, position.cursor);
    position.dropReplays();
    const readWindow = async () => {
      const page = await this.reads.replays({ conversationId: feed.conversationId, from, to });
      if (!position.isOperators && page.items.length > 0) await this.#checkMember(position);
      return page;
    };
    readWindow()
      .then(({ items, complete }) => {
        position.reading = false;
        if (!session.has(position)) return;
        let next = from;
        for (const item of items) {
          if (!session.maySend()) break;
          // Left and came back while this was read: what lies below is not the reader's any more.
          if (item.to >= position.joinedSeq) session.sendReplay(item);
          next = item.to + 1;
        }
        const allSent = items.length === 0 || next > items.at(-1)!.to;
        if (!(allSent && complete) && next <= to) {
          position.offerReplay(next);
          position.offerReplay(to);
        }
        session.due(position);
      })
      .catch((error: unknown) => this.#background(error));
  }

  async #checkMember(position: Position): Promise<void> {
    const { session, feed } = position;
    const answer = await this.reads.members(feed.conversationId, [session.userId]);
    if (session.has(position))
      session.applyMember(position, answer?.members.get(session.userId), answer?.membersVersion ?? 0);
  }

  get deliveryPaused(): boolean {
    return this.#deliveryPaused;
  }

  /**
   * Nothing of message, gap or replay is sent until `resumeDelivery`; clients stay connected, feeds go on. What is
   * due meanwhile waits as a cursor below its feed's tip.
   */
  pauseDelivery(): void {
    this.#deliveryPaused = true;
    for (const session of this.sessions) session.releasePages();
  }

  resumeDelivery(): void {
    this.#deliveryPaused = false;
    for (const session of this.sessions) this.schedule(session);
  }

  /** Ends the connections whose login has been revoked; returns how many. */
  endRevoked(isRevoked: (token: VerifiedToken) => boolean): number {
    const revoked = [...this.sessions].filter(({ token }) => token !== undefined && isRevoked(token));
    for (const session of revoked) session.close(CLOSE.revoked);
    return revoked.length;
  }

  /** The log was set back: every connection begins anew. */
  restart(): void {
    for (const session of [...this.sessions]) session.close(CLOSE.service_restart, this.retryHintMs());
    this.feeds.clear();
    this.users.clear();
  }

  /** Full jitter for those who are sent away: they do not all come back at once. */
  retryHintMs(): number {
    return Math.round(RETRY_HINT_MIN_MS + this.clock.random() * RETRY_HINT_SPREAD_MS);
  }

  /**
   * Tells every client where it stands: each opens its new socket at a moment of its own, and is served here until
   * `withinMs` is over; then whoever is left is closed.
   */
  async drain(withinMs: number): Promise<void> {
    this.draining = true;
    this.#deadlineAt = this.clock.monotonic() + withinMs;
    for (const session of this.sessions) this.sendAway(session);
    while (this.sessions.size > 0 && this.clock.monotonic() < this.#deadlineAt) {
      await this.clock.sleep(Math.min(50, this.#deadlineAt - this.clock.monotonic()));
    }
    for (const session of [...this.sessions]) session.close(CLOSE.drain, this.retryHintMs());
  }

  sendAway(session: Session): void {
    if (session.state !== 'live' || session.goingAway) return;
    session.goingAway = true;
    const deadlineMs = Math.max(0, Math.round(this.#deadlineAt - this.clock.monotonic()));
    session.sendFrame({
      type: 'goaway',
      reason: 'drain',
      reconnect_after_ms: Math.round((this.clock.random() * deadlineMs) / 2),
      deadline_ms: deadlineMs,
    });
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    for (const session of [...this.sessions]) session.close(CLOSE.drain, this.retryHintMs());
    this.reads.stop();
    this.#subscriptions.stop();
    await this.#loops;
  }

  #heard(channel: Channel, bytes: Buffer): void {
    if (channel.startsWith('u:')) return this.users.hint(channel.slice(2));
    if (!channel.startsWith('c:')) return;
    const frame = decodeBusFrame(bytes);
    if (frame === undefined) return;
    if (frame.epoch !== this.epochs.current) {
      // Of another epoch: dropped. If it is the newer one, the log says so.
      if (frame.epoch > this.epochs.current) void this.epochs.learn();
      return;
    }
    this.feeds.arrive(channel.slice(2), frame);
  }

  #confirmedAgain(channels: readonly Channel[]): void {
    const feeds: Feed[] = [];
    for (const channel of channels) {
      if (channel.startsWith('u:')) this.users.hint(channel.slice(2));
      else if (channel.startsWith('c:')) {
        const feed = this.feeds.get(channel.slice(2));
        if (feed !== undefined) feeds.push(feed);
      }
    }
    void this.#checks.check(feeds);
  }

  #flush(): void {
    const sessions = this.#scheduled;
    this.#scheduled = new Set();
    for (const session of sessions) session.flush();
  }

  #sweep(): void {
    const now = this.clock.monotonic();
    const serverTime = formatTime(this.clock.now());
    for (const session of this.sessions) sweepSession(session, now, serverTime);
    this.feeds.sweep();
  }

  #background(error: unknown): void {
    if (!(error instanceof Stopped)) this.log.error('hub_read_failed', { reason: reasonOf(error) });
  }
}
