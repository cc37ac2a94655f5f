import type { JobEstimate } from '@sanctum/protocol/admin';
import type { PieceResult } from './operator-jobs.ts';
import type { PostgresPool, Session } from './pool.ts';

/** Rows that one transaction sets to pending again: a share of a dispatcher's second. */
const PIECE_ROWS = 500;

/** Index: message_outbox_place, on the partitions that the times leave. */
const ESTIMATE = {
  name: 'estimate-replay',
  text: `SELECT count(*) AS messages, min(seq) AS first, max(seq) AS last FROM messaging.message_outbox
         WHERE aggregate_id = $1 AND status = 'sent' AND occurred_at >= $2 AND occurred_at <= $3`,
};
/**
 * Index: message_outbox_place. What dispatchers work on is pending: the two never wait for each other. Somebody else
 * may be setting the same rows: then this one waits, changes none of them, and goes on behind them.
 */
const SEND_AGAIN = {
  name: 'send-again',
  text: `WITH chosen AS (
           SELECT seq FROM messaging.message_outbox
           WHERE aggregate_id = $1 AND seq > $4 AND seq <= $5 AND status = 'sent'
             AND occurred_at >= $2 AND occurred_at <= $3
           ORDER BY seq LIMIT ${PIECE_ROWS}),
         sent AS (
           UPDATE messaging.message_outbox o SET status = 'pending', attempts = 0, dispatched_at = NULL
           FROM chosen WHERE o.aggregate_id = $1 AND o.seq = chosen.seq AND o.status = 'sent'
           RETURNING o.seq)
         SELECT seq AS last, (SELECT count(*) FROM chosen) AS chosen, (SELECT count(*) FROM sent) AS done
         FROM chosen ORDER BY seq DESC LIMIT 1`,
};

/** Which messages of a conversation are sent again; times in milliseconds. */
export interface ReplayRange {
  readonly conversationId: string;
  readonly since: number;
  readonly until: number;
}

export type ReplayEstimate = Omit<JobEstimate, 'clients' | 'pods_missing'>;

/** What the runbook's `UPDATE … SET status = 'pending'` does to a conversation, piece by piece. */
export class PostgresReplayLog {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  async estimate({ conversationId, since, until }: ReplayRange): Promise<ReplayEstimate> {
    const [row] = await this.#pool.query<{ messages: number; first: number | null; last: number | null }>(
      ESTIMATE,
      [conversationId, new Date(since), new Date(until)],
    );
    const { messages, first, last } = row!;
    return {
      messages,
      conversations: messages > 0 ? 1 : 0,
      conversations_uncounted: 0,
      from: first,
      to: last,
    };
  }

  /** Behind `after` up to `to`: a message that is sent meanwhile is not taken again. */
  async piece(
    session: Session,
    range: ReplayRange,
    place: { readonly after: number; readonly to: number },
  ): Promise<PieceResult<{ after: number; to: number }>> {
    const [row] = await session.query<{ last: number; chosen: number; done: number }>(SEND_AGAIN, [
      range.conversationId,
      new Date(range.since),
      new Date(range.until),
      place.after,
      place.to,
    ]);
    if (row === undefined) return { done: 0 };
    const { last, chosen, done } = row;
    return { done, skipped: chosen - done, next: { after: last, to: place.to } };
  }
}
