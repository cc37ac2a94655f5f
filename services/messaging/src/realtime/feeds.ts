import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Channel } from '../ports.ts';
import { Stopped } from './batcher.ts';
import type { BusFrame } from './bus-frame.ts';
import { Feed, type PageRead } from './feed.ts';
import type { Page, Position } from './position.ts';
import type { Reads } from './reads.ts';
import { type FeedItem, itemAt, SharedFrame } from './shared-frame.ts';
import type { Subscriptions } from './subscriptions.ts';

const SECOND = 1000;
/** How long an item above a hole waits for the missing one before the hole is read from the log. */
const HOLE_WAIT_MS = 20;
/** How long a head that a check found may still be on its way by the bus. */
const CHECK_GRACE_MS = 250;
/** A row that is being retried is asked for again after this. */
const RETRYING_POLL_MS = SECOND;
/** Hints of an operator's replay are gathered for this long. */
const REPLAY_GATHER_MS = 50;
/** A feed that lost its last reader stays for this long: readers come back. */
const LINGER_MS = 60 * SECOND;
/** All rings of the pod together. */
const RINGS_BYTES_MAX = 64 * 1024 * 1024;
/** Conversations whose heads are checked most often. */
const RECENT_MAX = 10_000;

/**
 * The conversations that have a reader on this pod, and what keeps each of them moving: the channel, the
 * log where the channel failed, an operator's replays. `onDue` is called for a position that may have something
 * to send.
 */
export class Feeds {
  readonly #feeds = new Map<string, Feed>();
  /** The most recently active ones, the latest last. */
  readonly #recent = new Set<Feed>();
  readonly #empty = new Set<Feed>();
  readonly #rings = new Set<Feed>();
  readonly #replayed = new Set<Feed>();
  #ringsBytes = 0;
  readonly #reads: Reads;
  readonly #subscriptions: Subscriptions;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #onDue: (position: Position) => void;

  constructor(options: {
    reads: Reads;
    subscriptions: Subscriptions;
    clock: Clock;
    metrics: Metrics;
    log: Log;
    onDue: (position: Position) => void;
  }) {
    this.#reads = options.reads;
    this.#subscriptions = options.subscriptions;
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#log = options.log;
    this.#onDue = options.onDue;
  }

  get size(): number {
    return this.#feeds.size;
  }

  get(conversationId: string): Feed | undefined {
    return this.#feeds.get(conversationId);
  }

  all(): IterableIterator<Feed> {
    return this.#feeds.values();
  }

  /** The next `count` of the round robin; they go to its end, behind those that have come meanwhile. */
  takeTurn(count: number): Feed[] {
    const taken: Feed[] = [];
    for (const feed of this.#feeds.values()) {
      if (taken.length >= count) break;
      taken.push(feed);
    }
    for (const feed of taken) {
      this.#feeds.delete(feed.conversationId);
      this.#feeds.set(feed.conversationId, feed);
    }
    return taken;
  }

  /** Channels of the most recently active ones, the latest first. */
  recentChannels(): Channel[] {
    return Array.from(this.#recent, channelOf).reverse();
  }

  recent(): IterableIterator<Feed> {
    return this.#recent.values();
  }

  /** The feed of a conversation, made and opened where there is none. */
  use(conversationId: string): Feed {
    let feed = this.#feeds.get(conversationId);
    if (feed === undefined) {
      feed = new Feed(conversationId);
      this.#feeds.set(conversationId, feed);
      // While there is room every conversation is among the most recently active; nobody is put out for it.
      if (this.#recent.size < RECENT_MAX) this.#recent.add(feed);
      feed.emptySince = this.#clock.monotonic();
      this.#empty.add(feed);
      this.#background(this.#open(feed));
    }
    return feed;
  }

  /** `head` is what was read for the reader itself: a feed that missed something learns of it here. */
  attach(position: Position, head: number): void {
    const { feed } = position;
    position.seatedAt = head;
    feed.positions.add(position);
    feed.emptySince = undefined;
    this.#empty.delete(feed);
    this.headSeen(feed, head);
    this.#onDue(position);
  }

  detach(position: Position): void {
    const { feed } = position;
    feed.positions.delete(position);
    feed.stalled?.delete(position);
    if (feed.positions.size > 0 || feed.observer !== undefined) return;
    feed.emptySince = this.#clock.monotonic();
    this.#empty.add(feed);
  }

  /** A message from the bus. */
  arrive(conversationId: string, frame: BusFrame): void {
    const feed = this.#feeds.get(conversationId);
    if (feed === undefined) return;
    this.#touch(feed);
    const before = feed.ringBytes;
    const arrival = feed.arrive({
      kind: 'message',
      from: frame.seq,
      to: frame.seq,
      membersVersion: frame.membersVersion,
      occurredAt: frame.occurredAt,
      frame: new SharedFrame(frame.json),
      live: true,
    });
    this.#accountRing(feed, before);
    if (arrival === 'next') this.#offer(feed);
    else if (arrival === 'ahead') {
      if (feed.open) this.#fillSoon(feed, HOLE_WAIT_MS);
    } else if (frame.replay > 0) {
      this.#forgetGap(feed, frame.seq);
      this.#hintReplay(feed, frame.seq);
    } else {
      this.#metrics.hubRepeats.inc();
      this.#wakeStalled(feed);
    }
  }

  /** The log has this head; what is missing is read unless the bus brings it at once. */
  headSeen(feed: Feed, head: number): void {
    if (head > feed.head) {
      feed.head = head;
      this.#touch(feed);
    }
    if (feed.open && feed.tip < feed.head) this.#fillSoon(feed, CHECK_GRACE_MS);
  }

  /** Reads what follows a position's cursor. */
  readFor(position: Position): void {
    if (position.reading) return;
    position.reading = true;
    this.#background(
      this.#page(position.feed, position.cursor).then((page) => {
        position.reading = false;
        if (!position.feed.positions.has(position)) return;
        position.page = page;
        if (position.next() === undefined && position.cursor < position.feed.tip) this.#stall(position);
        else this.#onDue(position);
      }),
    );
  }

  /** Once more where a replay came meanwhile of what it says is a gap. */
  async #page(feed: Feed, after: number): Promise<Page> {
    const read: PageRead = { replayed: [] };
    const reads = (feed.reads ??= new Set());
    reads.add(read);
    try {
      for (;;) {
        read.replayed = [];
        const page = await this.#reads.page(feed.conversationId, after);
        if (!read.replayed.some((seq) => isGap(page.items, seq))) return page;
      }
    } finally {
      reads.delete(read);
      if (reads.size === 0) feed.reads = undefined;
    }
  }

  /** A dead letter that was requeued: whoever comes from below it now gets the message, and no gap. */
  #forgetGap(feed: Feed, seq: number): void {
    if (feed.recent(seq)?.kind === 'gap') this.#dropRing(feed);
    for (const { replayed } of feed.reads ?? []) replayed.push(seq);
    for (const position of feed.positions) {
      if (position.cursor < seq && position.page !== undefined && isGap(position.page.items, seq))
        position.page = undefined;
    }
  }

  /** Drops feeds that have had no reader for a while. */
  sweep(): void {
    const now = this.#clock.monotonic();
    for (const feed of this.#empty) {
      if (feed.observer === undefined && feed.emptySince !== undefined && now - feed.emptySince >= LINGER_MS)
        this.#close(feed);
    }
  }

  /** The log was set back: nothing that is known here means anything. */
  clear(): void {
    for (const feed of [...this.#feeds.values()]) this.#close(feed);
  }

  #close(feed: Feed): void {
    this.#feeds.delete(feed.conversationId);
    this.#recent.delete(feed);
    this.#empty.delete(feed);
    this.#dropRing(feed);
    this.#subscriptions.drop(channelOf(feed));
  }

  async #open(feed: Feed): Promise<void> {
    await this.#subscriptions.hold(channelOf(feed));
    const head = await this.#reads.head(feed.conversationId);
    if (this.#feeds.get(feed.conversationId) !== feed) return;
    const before = feed.ringBytes;
    feed.start(head?.head ?? 0);
    this.#accountRing(feed, before);
    for (const position of feed.positions) this.#onDue(position);
    if (feed.tip < feed.head) this.#fillSoon(feed, HOLE_WAIT_MS);
  }

  #offer(feed: Feed): void {
    for (const position of feed.positions) if (position.cursor < feed.tip) this.#onDue(position);
  }

  #fillSoon(feed: Feed, delayMs: number): void {
    if (feed.filling) return;
    feed.filling = true;
    this.#clock.setTimer(delayMs, () => {
      if (feed.tip < feed.head && this.#isCurrent(feed)) {
        if (delayMs === CHECK_GRACE_MS) this.#metrics.hubSlowPath.inc();
        this.#background(this.#fill(feed).finally(() => (feed.filling = false)));
      } else feed.filling = false;
    });
  }

  /** Reads from the log what the bus did not bring, until the tip is at the head. */
  async #fill(feed: Feed): Promise<void> {
    while (this.#isCurrent(feed) && feed.tip < feed.head) {
      const tip = feed.tip;
      const page = await this.#page(feed, tip);
      const before = feed.ringBytes;
      this.#metrics.hubGapFills.inc({ source: 'postgres' }, feed.extend(page.items));
      this.#accountRing(feed, before);
      this.#offer(feed);
      // A row that is being retried, with everything behind it, waits here.
      if (feed.tip === tip) await this.#clock.sleep(RETRYING_POLL_MS);
    }
  }

  #isCurrent(feed: Feed): boolean {
    return this.#feeds.get(feed.conversationId) === feed;
  }

  #stall(position: Position): void {
    const { feed } = position;
    position.session.releasePages(position);
    if (feed.stalled === undefined) {
      feed.stalled = new Set();
      this.#clock.setTimer(RETRYING_POLL_MS, () => this.#wakeStalled(feed));
    }
    feed.stalled.add(position);
  }

  #wakeStalled(feed: Feed): void {
    const { stalled } = feed;
    if (stalled === undefined) return;
    feed.stalled = undefined;
    for (const position of stalled) this.#onDue(position);
  }

  #hintReplay(feed: Feed, seq: number): void {
    let offered = false;
    for (const position of feed.positions) if (position.offerReplay(seq)) offered = true;
    this.#wakeStalled(feed);
    if (!offered || this.#replayed.has(feed)) return;
    this.#replayed.add(feed);
    this.#clock.setTimer(REPLAY_GATHER_MS, () => {
      this.#replayed.delete(feed);
      for (const position of feed.positions) if (position.replayDue) this.#onDue(position);
    });
  }

  #touch(feed: Feed): void {
    this.#recent.delete(feed);
    this.#recent.add(feed);
    if (this.#recent.size <= RECENT_MAX) return;
    for (const oldest of this.#recent) {
      this.#recent.delete(oldest);
      break;
    }
  }

  #accountRing(feed: Feed, before: number): void {
    if (feed.ringBytes === before) return;
    this.#ringsBytes += feed.ringBytes - before;
    this.#rings.delete(feed);
    this.#rings.add(feed);
    for (const oldest of this.#rings) {
      if (this.#ringsBytes <= RINGS_BYTES_MAX) break;
      this.#dropRing(oldest);
    }
  }

  #dropRing(feed: Feed): void {
    this.#rings.delete(feed);
    this.#ringsBytes -= feed.ringBytes;
    feed.dropRing();
  }

  /** A read that nobody waits for any more ends in silence; anything else is a bug and is logged. */
  #background(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!(error instanceof Stopped))
        this.#log.error('feed_failed', { reason: String(error).slice(0, 100) });
    });
  }
}

function isGap(items: readonly FeedItem[], seq: number): boolean {
  return itemAt(items, seq)?.kind === 'gap';
}

export function channelOf(feed: { readonly conversationId: string }): Channel {
  return `c:${feed.conversationId}`;
}

export type { FeedItem };
