import type { Clock } from '../../clock.ts';
import type { StreamEntry } from '../../ports.ts';
import { toStreamEntry } from './memory-entry.ts';
import type { MemoryStream } from './memory-stream.ts';

/** An entry that was handed out and not acknowledged. */
interface Pending {
  readonly ordinal: number;
  consumer: string;
  deliveredAt: number;
  deliveries: number;
}

/** A consumer group on one partition: how far it has read, and what is pending with whom. */
export class MemoryGroup {
  readonly #stream: MemoryStream;
  readonly #clock: Clock;
  /** By entry id, in the order of the stream. */
  readonly #pending = new Map<string, Pending>();
  #delivered = 0;
  /** Entries trimmed before this group read them. */
  #skipped = 0;

  constructor(stream: MemoryStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
  }

  get pending(): number {
    return this.#pending.size;
  }

  get unread(): number {
    return this.#stream.after(this.#delivered, Number.MAX_SAFE_INTEGER).length;
  }

  /** Pending, or not read yet. */
  get unsettled(): number {
    return this.#pending.size + this.unread;
  }

  /** When the first entry that nobody has read was added. */
  get oldestUnreadAt(): number | undefined {
    return this.#stream.after(this.#delivered, 1)[0]?.addedAt;
  }

  /** Hands out new entries; `skipped` were trimmed unread right before them. */
  read(consumer: string, count: number): { entries: StreamEntry[]; skipped: number } {
    const found = this.#stream.after(this.#delivered, count);
    const hole = Math.max(0, this.#stream.removed - Math.max(this.#delivered, this.#skipped));
    // What was trimmed before the group first read was never its own.
    const skipped = this.#delivered === 0 ? 0 : hole;
    this.#skipped = Math.max(this.#skipped, this.#stream.removed);
    const now = this.#clock.monotonic();
    for (const { id, ordinal } of found) {
      this.#pending.set(id, { ordinal, consumer, deliveredAt: now, deliveries: 1 });
      this.#delivered = ordinal;
    }
    return { entries: found.map((entry) => toStreamEntry(this.#stream.name, entry, 1)), skipped };
  }

  /** A consumer's own pending entries behind `after`; those no longer on the stream are taken off the list. */
  ownPending(consumer: string, after: string | undefined, count: number): StreamEntry[] {
    const from = after === undefined ? 0 : (this.#pending.get(after)?.ordinal ?? this.#ordinalBehind(after));
    return this.#deliver(
      consumer,
      count,
      (pending) => pending.consumer === consumer && pending.ordinal > from,
    );
  }

  claim(consumer: string, idleMs: number, count: number): StreamEntry[] {
    const since = this.#clock.monotonic() - idleMs;
    return this.#deliver(consumer, count, (pending) => pending.deliveredAt <= since);
  }

  /** Whether it was pending. */
  acknowledge(id: string): boolean {
    return this.#pending.delete(id);
  }

  #deliver(consumer: string, count: number, wanted: (pending: Pending) => boolean): StreamEntry[] {
    const delivered: StreamEntry[] = [];
    const inOrder = [...this.#pending].toSorted(([, a], [, b]) => a.ordinal - b.ordinal);
    for (const [id, pending] of inOrder) {
      if (delivered.length === count) break;
      if (!wanted(pending)) continue;
      const entry = this.#stream.at(pending.ordinal);
      if (entry === undefined) {
        this.#pending.delete(id);
        continue;
      }
      pending.consumer = consumer;
      pending.deliveredAt = this.#clock.monotonic();
      pending.deliveries += 1;
      delivered.push(toStreamEntry(this.#stream.name, entry, pending.deliveries));
    }
    return delivered;
  }

  /** The place of an id that was acknowledged meanwhile. */
  #ordinalBehind(id: string): number {
    const present = this.#stream.after(0, Number.MAX_SAFE_INTEGER).find((entry) => entry.id === id);
    return present?.ordinal ?? this.#stream.removed;
  }
}
