import type { StreamMessage } from '../ports.ts';

/** Some 15 MB; at 10,000 messages a second, ten seconds. */
const RECENT_MAX = 100_000;

/**
 * The last messages that Redis took from this consumer, so that an entry that comes again (claimed from a pod that
 * died after its publish, sent again after a reconnect) is not broadcast again. A replay is another message.
 */
export class RecentBroadcasts {
  readonly #max: number;
  readonly #keys = new Set<string>();

  constructor(max = RECENT_MAX) {
    this.#max = max;
  }

  has(entry: StreamMessage): boolean {
    return this.#keys.has(keyOf(entry));
  }

  add(entry: StreamMessage): void {
    this.#keys.add(keyOf(entry));
    if (this.#keys.size <= this.#max) return;
    // A Set keeps the order of insertion: the first is the oldest.
    for (const oldest of this.#keys) {
      this.#keys.delete(oldest);
      return;
    }
  }
}

/**
 * What makes two entries the same: a copy marked `resent` is the same, the next replay of the row is not. Nor is a
 * row that a restore has set back: its replays are counted anew.
 */
export function keyOf({ epoch, message }: StreamMessage): string {
  return `${epoch}:${message.eventId}:${message.replayNo}`;
}
