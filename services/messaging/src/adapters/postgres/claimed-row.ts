import type { OutboxRow } from '../../ports.ts';
import { MESSAGE_COLUMNS, toMessage, type MessageRow } from './message-row.ts';

/** What a dispatcher reads of a row of `messaging.message_outbox o`, without its payload. */
export const CLAIM_COLUMNS = `o.id, o.attempts, ${MESSAGE_COLUMNS}`;

export interface ClaimedRow extends MessageRow {
  id: number;
  attempts: number;
  /** null: too large for a frame. */
  body: string | null;
}

export function toOutboxRow(row: ClaimedRow): OutboxRow {
  return {
    id: String(row.id),
    attempts: row.attempts,
    message: row.body === null ? undefined : toMessage(row, row.body),
  };
}
