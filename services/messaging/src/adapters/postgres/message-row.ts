import type { LogMessage } from '../../ports.ts';
import { Sealed } from '../../sealed.ts';

/** A message's columns of `messaging.message_outbox o`, without its payload. */
export const MESSAGE_COLUMNS =
  'o.aggregate_id, o.seq, o.message_id, o.event_id, o.event_type, o.occurred_at, o.members_version, o.replay_no';

export interface MessageRow {
  aggregate_id: string;
  seq: number;
  message_id: string;
  event_id: string;
  event_type: string;
  occurred_at: number;
  members_version: number;
  replay_no: number;
}

export function toMessage(row: MessageRow, body: string): LogMessage {
  return {
    conversationId: row.aggregate_id,
    seq: row.seq,
    messageId: row.message_id,
    eventId: row.event_id,
    eventType: row.event_type,
    occurredAt: row.occurred_at,
    membersVersion: row.members_version,
    replayNo: row.replay_no,
    payload: new Sealed(body),
  };
}
