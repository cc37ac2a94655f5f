import type { OutboxRow } from '../../ports.ts';
import { MESSAGE_COLUMNS, toMessage, type MessageRow } from './message-row.ts';

/** What a dispatcher reads of a row of `messaging.message_outbox o`, without its payload. */
export const CLAIM_COLUMNS = `o.id, o.bucket, o.attempts, o.xmin::text AS written_by, ${MESSAGE_COLUMNS}`;

export interface ClaimedRow extends MessageRow {
  id: number;
  bucket: number;
  attempts: number;
  /** The transaction that wrote the row as it was read: another one, and somebody has had it in hand since. */
  written_by: string;
  /** null: too large for a frame. */
  body: string | null;
}

export function toOutboxRow(row: ClaimedRow): OutboxRow {
  return {
    id: String(row.id),
    bucket: row.bucket,
    attempts: row.attempts,
    message: row.body === null ? undefined : toMessage(row, row.body),
  };
}
