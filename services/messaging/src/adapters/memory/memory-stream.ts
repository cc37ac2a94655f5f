import type { Clock } from '../../clock.ts';
import type { StreamEntry, StreamMessage } from '../../ports.ts';
import { Sealed } from '../../sealed.ts';
import { MemoryGroup } from './memory-group.ts';

/** What stands on the stream: a message, or something that nobody can use. */
export type MemoryContent =
  { readonly message: StreamMessage } | { readonly reason: string; readonly fields: Sealed };

export interface MemoryEntry {
  readonly id: string;
  /** 1, 2, 3 … in the order of appending. */
  readonly ordinal: number;
  readonly content: MemoryContent;
  readonly addedAt: number;
}

/**
 * One partition as Redis keeps it: entries, how many were ever added, and the groups that read it. Trimming is
 * exact, where Redis' `MAXLEN ~` leaves up to a node more.
 */
export class MemoryStream {
  readonly name: string;
  readonly #clock: Clock;
  readonly #maxLength: number;
  readonly #groups = new Map<string, MemoryGroup>();
  #entries: MemoryEntry[] = [];
  #added = 0;
  #lastId: readonly [ms: number, n: number] = [0, 0];

  constructor(name: string, options: { readonly clock: Clock; readonly maxLength: number }) {
    this.name = name;
    this.#clock = options.clock;
    this.#maxLength = options.maxLength;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** How many have left the stream, read or not. */
  get removed(): number {
    return this.#added - this.#entries.length;
  }

  add(content: MemoryContent): string {
    const now = this.#clock.now();
    const [ms, n] = this.#lastId;
    // As Redis does when its clock stands still or jumps back.
    this.#lastId = now > ms ? [now, 0] : [ms, n + 1];
    const id = this.#lastId.join('-');
    this.#added += 1;
    this.#entries.push({ id, ordinal: this.#added, content, addedAt: now });
    this.trim(this.#maxLength);
    return id;
  }

  /** Removes the oldest entries until `length` are left. */
  trim(length: number): void {
    if (this.#entries.length > length) this.#entries = this.#entries.slice(this.#entries.length - length);
  }

  /** Up to `count` entries behind an ordinal. */
  after(ordinal: number, count: number): MemoryEntry[] {
    const first = Math.max(0, ordinal - this.removed);
    return this.#entries.slice(first, first + count);
  }

  at(ordinal: number): MemoryEntry | undefined {
    return this.#entries[ordinal - this.removed - 1];
  }

  group(name: string): MemoryGroup | undefined {
    return this.#groups.get(name);
  }

  /** As `XGROUP CREATE … 0`; false: it exists. */
  createGroup(name: string): boolean {
    if (this.#groups.has(name)) return false;
    this.#groups.set(name, new MemoryGroup(this, this.#clock));
    return true;
  }
}

/** An entry as a reader gets it. */
export function toStreamEntry(stream: string, { id, content }: MemoryEntry, deliveries: number): StreamEntry {
  const place = { stream, entryId: id, deliveries };
  if ('reason' in content) {
    const { reason, fields } = content;
    return {
      ...place,
      content: undefined,
      reason,
      fields,
      eventId: undefined,
      conversationId: undefined,
      occurredAt: undefined,
    };
  }
  const { message } = content.message;
  return {
    ...place,
    content: content.message,
    reason: undefined,
    fields: message.payload,
    eventId: message.eventId,
    conversationId: message.conversationId,
    occurredAt: new Date(message.occurredAt).toISOString(),
  };
}
