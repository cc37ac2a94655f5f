import type { GapReason } from '@sanctum/protocol';

/**
 * A server frame that may go to many sockets: encoded once, its bytes shared by all of them. `wire` belongs to
 * the transport, which keeps there what it made of `json` (for WebSocket: the frame with its RFC 6455 header), and
 * lets `json` point into it: `json` may come as a slice of a much larger buffer, which is then free to go.
 */
export class SharedFrame {
  json: Buffer;
  wire: Buffer | undefined;

  constructor(json: Buffer) {
    this.json = json;
  }
}

/** A message's place in a feed. */
export interface MessageItem {
  readonly kind: 'message';
  readonly from: number;
  readonly to: number;
  /** The conversation's members_version at its commit: who reads it must have been checked at least as late. */
  readonly membersVersion: number;
  readonly occurredAt: number;
  readonly frame: SharedFrame;
  /** The bus brought it, while it was new. */
  readonly live: boolean;
}

/** Places that no message will fill. */
export interface GapItem {
  readonly kind: 'gap';
  readonly from: number;
  readonly to: number;
  /** The conversation's members_version when the log was asked: of places after a removal nothing is told either. */
  readonly membersVersion: number;
  readonly reason: GapReason;
}

/** Items of a feed follow each other without a hole: each begins one above the end of the last. */
export type FeedItem = MessageItem | GapItem;

export function itemBytes(item: FeedItem): number {
  return item.kind === 'message' ? item.frame.json.length + ITEM_OVERHEAD_BYTES : ITEM_OVERHEAD_BYTES;
}
/** About what an item costs beside its bytes. */
const ITEM_OVERHEAD_BYTES = 200;

/** The item that covers `seq`, of items that stand in order; undefined where there is none. */
export function itemAt(items: readonly FeedItem[], seq: number): FeedItem | undefined {
  let low = 0;
  let high = items.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const item = items[middle]!;
    if (item.to < seq) low = middle + 1;
    else if (item.from > seq) high = middle - 1;
    else return item;
  }
  return undefined;
}
