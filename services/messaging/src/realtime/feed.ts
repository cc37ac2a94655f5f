import { type FeedItem, itemAt, itemBytes } from './shared-frame.ts';
import type { Position } from './position.ts';

/** Recent items that a feed keeps for readers a little behind. */
const RING_ITEMS_MAX = 128;
const RING_BYTES_MAX = 256 * 1024;
/** Items held back above a hole; what does not fit is read from the log later. */
const AHEAD_ITEMS_MAX = 256;

/** A read of a page that is under way, and which seqs have been replayed meanwhile. */
export interface PageRead {
  replayed: number[];
}

export type Arrival =
  /** It was the next one; the tip has moved. */
  | 'next'
  /** At or below the tip. */
  | 'repeat'
  /** Something below it is missing: it is held back. */
  | 'ahead';

/**
 * A conversation as this pod's readers see it. Pure state, no I/O: the hub feeds it.
 *
 * `opening`: its channel is being subscribed and then its head read, in this order, so that whatever is committed
 * after the head comes by the channel. What the channel brings meanwhile is held in `ahead`.
 * `open`: everything up to and including `tip` has been offered to the readers who were there, in order; `head` is
 * the highest seq known to be committed. While tip < head something did not come by the channel, and the hub reads
 * it from the log. Sessions behind the tip catch up by themselves, from the ring or in pages.
 */
export class Feed {
  readonly conversationId: string;
  readonly positions = new Set<Position>();
  open = false;
  tip = 0;
  head = 0;
  /** Set while the feed waits for what is missing between tip and head. */
  filling = false;
  /** Since when nobody reads it, in monotonic milliseconds; undefined while somebody does. */
  emptySince: number | undefined;
  /** Positions that wait at a row which is being retried. */
  stalled: Set<Position> | undefined;
  /** The synthetic message's reader. */
  observer: ((item: FeedItem) => void) | undefined;
  ringBytes = 0;
  /** Of its pages; undefined while none is under way. */
  reads: Set<PageRead> | undefined;
  #ring: FeedItem[] = [];
  #ahead: Map<number, FeedItem> | undefined;
  #aheadBytes = 0;

  constructor(conversationId: string) {
    this.conversationId = conversationId;
  }

  /** The head has been read, after the channel's confirmation. Never moves a tip back. */
  start(head: number): void {
    this.open = true;
    this.tip = Math.max(this.tip, head);
    this.head = Math.max(this.head, head);
    this.#releaseAhead();
  }

  /** A message from the bus. */
  arrive(item: FeedItem): Arrival {
    if (item.to > this.head) this.head = item.to;
    if (!this.open) {
      this.#hold(item);
      return 'ahead';
    }
    if (item.to <= this.tip) return 'repeat';
    if (item.from > this.tip + 1) {
      this.#hold(item);
      return 'ahead';
    }
    this.#push(item);
    this.#releaseAhead();
    return 'next';
  }

  /** Items read from the log, from tip + 1 on; returns how many were new. */
  extend(items: readonly FeedItem[]): number {
    let added = 0;
    for (const item of items) {
      if (item.to <= this.tip || item.from > this.tip + 1) continue;
      this.#push(item);
      added += 1;
    }
    this.#releaseAhead();
    return added;
  }

  /** The item that covers `seq`, while the ring has it. */
  recent(seq: number): FeedItem | undefined {
    return itemAt(this.#ring, seq);
  }

  dropRing(): void {
    this.#ring = [];
    this.ringBytes = 0;
  }

  #push(item: FeedItem): void {
    this.tip = item.to;
    if (item.to > this.head) this.head = item.to;
    this.observer?.(item);
    this.#ring.push(item);
    this.ringBytes += itemBytes(item);
    while (this.#ring.length > 1 && (this.#ring.length > RING_ITEMS_MAX || this.ringBytes > RING_BYTES_MAX)) {
      this.ringBytes -= itemBytes(this.#ring.shift()!);
    }
  }

  #hold(item: FeedItem): void {
    this.#ahead ??= new Map();
    if (
      this.#ahead.size >= AHEAD_ITEMS_MAX ||
      this.#aheadBytes >= RING_BYTES_MAX ||
      this.#ahead.has(item.from)
    )
      return;
    this.#ahead.set(item.from, item);
    this.#aheadBytes += itemBytes(item);
  }

  #releaseAhead(): void {
    if (this.#ahead === undefined) return;
    for (;;) {
      const next = this.#ahead.get(this.tip + 1);
      if (next === undefined) break;
      this.#letGo(next);
      this.#push(next);
    }
    for (const item of this.#ahead.values()) if (item.from <= this.tip) this.#letGo(item);
    if (this.#ahead.size === 0) this.#ahead = undefined;
  }

  #letGo(item: FeedItem): void {
    this.#ahead!.delete(item.from);
    this.#aheadBytes -= itemBytes(item);
  }
}
