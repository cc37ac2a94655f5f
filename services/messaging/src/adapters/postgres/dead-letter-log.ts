import type { DeadLetterLog, StreamEntry } from '../../ports.ts';
import type { PostgresPool } from './pool.ts';

/** Index: the unique one over stream, group and entry. */
const RECORD = {
  name: 'record-malformed',
  text: `INSERT INTO messaging.message_dlq AS d (source_stream, entry_id, event_id, aggregate_id, occurred_at,
           payload, reason, group_name)
         SELECT e.*, $8 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) e
         ON CONFLICT (source_stream, group_name, entry_id) DO UPDATE
           SET attempts = d.attempts + 1, last_seen_at = now(), reason = EXCLUDED.reason`,
};

export class PostgresDeadLetterLog implements DeadLetterLog {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  async recordMalformed(entries: readonly StreamEntry[], group: string): Promise<void> {
    // One statement must not meet the same row twice. Sorted: two consumers never wait for each other in a circle.
    const distinct = [
      ...new Map(entries.map((entry) => [`${entry.stream} ${entry.entryId}`, entry])).entries(),
    ]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, entry]) => entry);
    if (distinct.length === 0) return;
    await this.#pool.query(RECORD, [
      distinct.map((entry) => storable(entry.stream)),
      distinct.map((entry) => storable(entry.entryId)),
      distinct.map((entry) => storable(entry.eventId)),
      distinct.map((entry) => storable(entry.conversationId)),
      distinct.map((entry) => storable(entry.occurredAt)),
      distinct.map((entry) => storable(entry.fields.reveal())),
      distinct.map((entry) => storable(entry.reason ?? 'unknown')),
      storable(group),
    ]);
  }
}

/** Entries are anybody's bytes: `text` takes no NUL. Lone surrogates become U+FFFD as the driver encodes UTF-8. */
function storable(text: string | undefined): string | null {
  return text?.replaceAll('\0', '\uFFFD') ?? null;
}
