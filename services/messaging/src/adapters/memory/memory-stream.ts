import type { Clock } from '../../clock.ts';
import type { MemoryContent, MemoryEntry } from './memory-entry.ts';
import { MemoryGroup } from './memory-group.ts';

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

  destroyGroup(name: string): void {
    this.#groups.delete(name);
  }
}
