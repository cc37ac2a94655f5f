import { formatTime, isUuid } from '@sanctum/protocol';
import type { DeadLetter, DeadLetterCause, DeadLetterKind } from '@sanctum/protocol/admin';
import type { PieceResult } from './operator-jobs.ts';
import type { PostgresPool, Session, Statement } from './pool.ts';
import type { ReplayEstimate } from './replay-log.ts';

/** Beyond it causes are not counted to the end: the list must stay cheap in the worst of times. */
const COUNTED_MAX = 100_000;
const CAUSES_MAX = 100;
const PIECE_ROWS = 200;
/** Of so many of them the conversations' connections are counted for an estimate. */
const REACH_MAX = 1000;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** Which dead letters; all of those that are given must hold. */
export interface DeadLetterFilter {
  readonly ids?: readonly string[] | undefined;
  readonly cause?: string | undefined;
  readonly conversationId?: string | undefined;
}

/** How far a requeue has come; `to`: the `lastId` of what it began with. */
export interface RequeuePlace {
  /** Of the last row; entries have none, and neither has the beginning. */
  readonly conversationId?: string;
  /** A row's `seq`, an entry's id. */
  readonly after: number;
  readonly to: number;
}

const ROW_CAUSE = `coalesce(last_error, 'unknown')`;
/** $1 ids, $2 cause, $3 conversation; NULL: any. Index: message_outbox_dead. */
const ROWS = `status = 'dead' AND ($1::bigint[] IS NULL OR id = ANY ($1)) AND ($2::text IS NULL OR ${ROW_CAUSE} = $2)
  AND ($3::uuid IS NULL OR aggregate_id = $3)`;
/** The same of message_dlq, a table for what hardly ever happens. */
const ENTRIES = `($1::bigint[] IS NULL OR id = ANY ($1)) AND ($2::text IS NULL OR reason = $2)
  AND ($3::text IS NULL OR aggregate_id = $3)`;

const LIST: Record<DeadLetterKind, Statement> = {
  row: {
    name: 'list-dead-rows',
    text: `SELECT id, ${ROW_CAUSE} AS cause, attempts, occurred_at AS at, aggregate_id AS conversation_id, message_id,
             event_id, seq, size_bytes, NULL AS stream, NULL AS grp, NULL AS entry_id,
             extract(epoch FROM clock_timestamp() - occurred_at)::float8 AS age
           FROM messaging.message_outbox WHERE ${ROWS} AND id < $4 ORDER BY id DESC LIMIT $5`,
  },
  entry: {
    name: 'list-dead-entries',
    text: `SELECT id, reason AS cause, attempts, first_seen_at AS at, aggregate_id AS conversation_id,
             NULL AS message_id, event_id, NULL::bigint AS seq, octet_length(payload) AS size_bytes,
             source_stream AS stream, group_name AS grp, entry_id,
             extract(epoch FROM clock_timestamp() - first_seen_at)::float8 AS age
           FROM messaging.message_dlq WHERE ${ENTRIES} AND id < $4 ORDER BY id DESC LIMIT $5`,
  },
};

const CAUSES: Record<DeadLetterKind, Statement> = {
  row: {
    name: 'dead-row-causes',
    text: `SELECT cause, count(*) AS count, min(at) AS oldest FROM (
             SELECT ${ROW_CAUSE} AS cause, occurred_at AS at FROM messaging.message_outbox
             WHERE status = 'dead' LIMIT ${COUNTED_MAX}) d
           GROUP BY cause ORDER BY count(*) DESC, cause LIMIT ${CAUSES_MAX}`,
  },
  entry: {
    name: 'dead-entry-causes',
    text: `SELECT cause, count(*) AS count, min(at) AS oldest FROM (
             SELECT reason AS cause, first_seen_at AS at FROM messaging.message_dlq LIMIT ${COUNTED_MAX}) d
           GROUP BY cause ORDER BY count(*) DESC, cause LIMIT ${CAUSES_MAX}`,
  },
};

const ESTIMATE: Record<DeadLetterKind, Statement> = {
  row: {
    name: 'estimate-requeue-rows',
    text: `SELECT count(*) AS messages, max(id) AS last, min(seq) AS first_seq, max(seq) AS last_seq,
             count(DISTINCT aggregate_id) AS conversations,
             ARRAY(SELECT DISTINCT aggregate_id::text FROM (
               SELECT aggregate_id FROM messaging.message_outbox WHERE ${ROWS} LIMIT ${REACH_MAX}) d) AS ids
           FROM messaging.message_outbox WHERE ${ROWS}`,
  },
  entry: {
    name: 'estimate-requeue-entries',
    text: `SELECT count(*) AS messages, max(id) AS last, NULL::bigint AS first_seq, NULL::bigint AS last_seq,
             count(DISTINCT aggregate_id) AS conversations,
             ARRAY(SELECT DISTINCT aggregate_id FROM (
               SELECT aggregate_id FROM messaging.message_dlq WHERE ${ENTRIES} LIMIT ${REACH_MAX}) d) AS ids
           FROM messaging.message_dlq WHERE ${ENTRIES}`,
  },
};

/**
 * Conversation by conversation, in each in its order: so a piece reads no more of the index than it takes, however
 * many have died. One that dies again meanwhile lies below the place, and is not taken twice. Somebody else may be
 * setting the same rows: then this one waits, changes none of them, and goes on behind them.
 */
const REQUEUE_ROWS = {
  name: 'requeue-rows',
  text: `WITH chosen AS (
           SELECT aggregate_id, seq FROM messaging.message_outbox
           WHERE ${ROWS} AND aggregate_id >= $4 AND (aggregate_id, seq) > ($4, $5) AND id <= $6
           ORDER BY aggregate_id, seq LIMIT ${PIECE_ROWS}),
         requeued AS (
           UPDATE messaging.message_outbox o SET status = 'pending', attempts = 0, last_error = NULL,
             dispatched_at = NULL
           FROM chosen WHERE o.aggregate_id = chosen.aggregate_id AND o.seq = chosen.seq AND o.status = 'dead'
           RETURNING o.seq)
         SELECT aggregate_id, seq, (SELECT count(*) FROM chosen) AS chosen, (SELECT count(*) FROM requeued) AS done
         FROM chosen ORDER BY aggregate_id DESC, seq DESC LIMIT 1`,
};
/** The payload is read to find out which message it was, and goes no further than that. */
const TAKE_ENTRIES = {
  name: 'take-entries',
  text: `SELECT id, aggregate_id, payload FROM messaging.message_dlq WHERE ${ENTRIES} AND id > $4 AND id <= $5
         ORDER BY id LIMIT ${PIECE_ROWS} FOR UPDATE SKIP LOCKED`,
};
/** Index: message_outbox_message. One that is on its way already needs nothing. */
const SEND_NAMED = {
  name: 'send-named',
  text: `UPDATE messaging.message_outbox o SET status = 'pending', attempts = 0, last_error = NULL, dispatched_at = NULL
         FROM unnest($1::uuid[], $2::uuid[]) n (message_id, conversation_id)
         WHERE o.message_id = n.message_id AND o.aggregate_id = n.conversation_id AND o.status <> 'pending'`,
};
const NAMED = {
  name: 'named-messages',
  text: `SELECT n.message_id, n.conversation_id FROM unnest($1::uuid[], $2::uuid[]) n (message_id, conversation_id)
         WHERE EXISTS (SELECT FROM messaging.message_outbox o
                       WHERE o.message_id = n.message_id AND o.aggregate_id = n.conversation_id)`,
};
const FORGET_ENTRIES = {
  name: 'forget-entries',
  text: 'DELETE FROM messaging.message_dlq WHERE id = ANY ($1::bigint[])',
};

interface ListedRow {
  readonly id: number;
  readonly cause: string;
  readonly attempts: number;
  readonly at: number;
  readonly age: number;
  readonly conversation_id: string | null;
  readonly message_id: string | null;
  readonly event_id: string | null;
  readonly seq: number | null;
  readonly size_bytes: number | null;
  readonly stream: string | null;
  readonly grp: string | null;
  readonly entry_id: string | null;
}

/** Where a piece ends, of how many rows it is, and how many of them it has set. */
interface RequeuedPiece {
  readonly aggregate_id: string;
  readonly seq: number;
  readonly chosen: number;
  readonly done: number;
}

/** Dead rows of the outbox and unusable entries of the stream: everything of them but their content. */
export class PostgresDeadLetters {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  /** The newest first, below `before`. */
  async list(
    kind: DeadLetterKind,
    filter: DeadLetterFilter,
    page: { readonly before: number; readonly limit: number },
  ): Promise<DeadLetter[]> {
    const rows = await this.#pool.query<ListedRow>(LIST[kind], [
      ...valuesOf(filter),
      page.before,
      page.limit,
    ]);
    return rows.map(({ id, at, age, grp, event_id, ...row }) => ({
      kind,
      ...row,
      id: String(id),
      // An entry is anybody's: what is no id is not shown as one.
      event_id: isUuid(event_id) ? event_id : null,
      conversation_id: isUuid(row.conversation_id) ? row.conversation_id : null,
      at: formatTime(at),
      age_seconds: Math.max(0, age),
      group: grp,
    }));
  }

  async causes(kind: DeadLetterKind): Promise<DeadLetterCause[]> {
    const rows = await this.#pool.query<{ cause: string; count: number; oldest: number }>(CAUSES[kind]);
    return rows.map(({ cause, count, oldest }) => ({ cause, count, oldest_at: formatTime(oldest) }));
  }

  /** `lastId`: of all that match now; `conversationIds`: of the first thousand of them. */
  async estimate(
    kind: DeadLetterKind,
    filter: DeadLetterFilter,
  ): Promise<ReplayEstimate & { lastId: number; conversationIds: string[] }> {
    const [row] = await this.#pool.query<{
      messages: number;
      last: number | null;
      first_seq: number | null;
      last_seq: number | null;
      conversations: number;
      ids: (string | null)[];
    }>(ESTIMATE[kind], valuesOf(filter));
    const { messages, last, first_seq, last_seq, conversations, ids } = row!;
    return {
      messages,
      conversations,
      conversations_uncounted: Math.max(0, conversations - ids.filter((id) => id !== null).length),
      from: conversations === 1 ? first_seq : null,
      to: conversations === 1 ? last_seq : null,
      lastId: last ?? 0,
      conversationIds: ids.filter((id) => isUuid(id)),
    };
  }

  /** Requeues a piece of those behind `place`, or the first. */
  async piece(
    session: Session,
    what: { readonly kind: DeadLetterKind; readonly filter: DeadLetterFilter },
    place: RequeuePlace,
  ): Promise<PieceResult<RequeuePlace>> {
    const { conversationId = NIL_UUID, after, to } = place;
    const values = valuesOf(what.filter);
    if (what.kind === 'entry') return this.#entries(session, [...values, after, to], to);
    const [row] = await session.query<RequeuedPiece>(REQUEUE_ROWS, [...values, conversationId, after, to]);
    if (row === undefined) return { done: 0 };
    const { aggregate_id, seq, chosen, done } = row;
    return { done, skipped: chosen - done, next: { conversationId: aggregate_id, after: seq, to } };
  }

  async #entries(
    session: Session,
    values: readonly unknown[],
    to: number,
  ): Promise<PieceResult<RequeuePlace>> {
    const entries = await session.query<{ id: number; aggregate_id: string | null; payload: string }>(
      TAKE_ENTRIES,
      values,
    );
    if (entries.length === 0) return { done: 0 };
    const named = entries.flatMap(({ id, aggregate_id: conversationId, payload }) => {
      const messageId = messageIdIn(payload);
      return messageId === undefined || !isUuid(conversationId) ? [] : [{ id, messageId, conversationId }];
    });
    const names = [
      named.map(({ messageId }) => messageId),
      named.map(({ conversationId }) => conversationId),
    ];
    const found = await session.query<{ message_id: string; conversation_id: string }>(NAMED, names);
    await session.execute(SEND_NAMED, names);
    const known = new Set(found.map((each) => `${each.conversation_id} ${each.message_id}`));
    const done = named.filter((each) => known.has(`${each.conversationId} ${each.messageId}`));
    await session.execute(FORGET_ENTRIES, [done.map(({ id }) => id)]);
    return {
      done: done.length,
      skipped: entries.length - done.length,
      next: { after: entries.at(-1)!.id, to },
    };
  }
}

function valuesOf({ ids, cause, conversationId }: DeadLetterFilter): unknown[] {
  return [ids ?? null, cause ?? null, conversationId ?? null];
}

/** An entry's fields are stored as pairs; of a repeated one the last counts. */
function messageIdIn(payload: string): string | undefined {
  try {
    const pairs = JSON.parse(payload) as unknown;
    if (!Array.isArray(pairs)) return undefined;
    const pair: unknown = pairs.findLast((each) => Array.isArray(each) && each[0] === 'message_id');
    const value = Array.isArray(pair) ? (pair[1] as unknown) : undefined;
    return typeof value === 'string' && isUuid(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
