import { formatTime } from '@sanctum/protocol';
import type { Trace } from '@sanctum/protocol/admin';
import type { PostgresPool } from './pool.ts';

/** Index: message_outbox_message. Of the payload only the sender is read, which intake wrote beside the ciphertext. */
const TRACE = {
  name: 'trace-message',
  text: `SELECT o.message_id, o.event_id, o.aggregate_id, o.seq, o.event_type, o.size_bytes, o.occurred_at, o.status,
           o.dispatched_at, o.attempts, o.last_error, o.next_attempt_at, o.replay_no, o.bucket,
           CASE WHEN o.content_hash IS NOT NULL THEN o.payload ->> 'sender' END AS sender,
           coalesce(c.member_count, 0) AS members
         FROM messaging.message_outbox o LEFT JOIN messaging.conversation c ON c.conversation_id = o.aggregate_id
         WHERE o.message_id = $1 AND ($2::uuid IS NULL OR o.aggregate_id = $2)
         ORDER BY o.occurred_at DESC LIMIT 1`,
};

interface TracedRow {
  readonly message_id: string;
  readonly event_id: string;
  readonly aggregate_id: string;
  readonly seq: number;
  readonly event_type: string;
  readonly size_bytes: number;
  readonly occurred_at: number;
  readonly status: 'pending' | 'sent' | 'dead';
  readonly dispatched_at: number | null;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly next_attempt_at: number | null;
  readonly replay_no: number;
  readonly bucket: number;
  readonly sender: string | null;
  readonly members: number;
}

/** What the log knows of a message's way. */
export interface LoggedTrace {
  readonly trace: Omit<Trace, 'stream' | 'readers' | 'readers_past' | 'readers_total' | 'pods_missing'>;
  readonly bucket: number;
  /** Milliseconds; undefined: not on the stream yet. */
  readonly dispatchedAt: number | undefined;
}

/** undefined: the log holds no such message (any more). The latest one where several conversations have it. */
export async function traceMessage(
  pool: PostgresPool,
  message: { readonly messageId: string; readonly conversationId: string | undefined },
): Promise<LoggedTrace | undefined> {
  const [row] = await pool.query<TracedRow>(TRACE, [message.messageId, message.conversationId ?? null]);
  if (row === undefined) return undefined;
  return {
    bucket: row.bucket,
    dispatchedAt: row.dispatched_at ?? undefined,
    trace: {
      message_id: row.message_id,
      event_id: row.event_id,
      conversation_id: row.aggregate_id,
      seq: row.seq,
      event_type: row.event_type,
      size_bytes: row.size_bytes,
      sender: row.sender,
      accepted: { at: formatTime(row.occurred_at) },
      dispatch: {
        status: row.status,
        at: timeOf(row.dispatched_at),
        attempts: row.attempts,
        last_error: row.last_error,
        next_attempt_at: timeOf(row.next_attempt_at),
        replay_no: row.replay_no,
      },
      members: row.members,
    },
  };
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : formatTime(ms);
}
