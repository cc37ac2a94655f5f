import type { DeadLetterLog, StreamEntry } from '../../ports.ts';
import type { MemoryLogContext } from './memory-log.ts';

/** A row of messaging.message_dlq, as far as anybody asks for it here. */
export interface StoredDeadLetter {
  readonly stream: string;
  readonly entryId: string;
  readonly group: string;
  readonly reason: string;
  readonly attempts: number;
}

export class MemoryDeadLetterLog implements DeadLetterLog {
  readonly #log: MemoryLogContext;
  readonly #rows = new Map<string, StoredDeadLetter>();

  constructor(log: MemoryLogContext) {
    this.#log = log;
  }

  recordMalformed(entries: readonly StreamEntry[], group: string): Promise<void> {
    return this.#log.transact(() => {
      const distinct = new Map(
        entries.map((entry) => [JSON.stringify([entry.stream, group, entry.entryId]), entry]),
      );
      for (const [key, { stream, entryId, reason }] of distinct) {
        const attempts = (this.#rows.get(key)?.attempts ?? 0) + 1;
        this.#rows.set(key, { stream, entryId, group, reason: reason ?? 'unknown', attempts });
      }
    });
  }

  rows(): StoredDeadLetter[] {
    return [...this.#rows.values()];
  }
}
