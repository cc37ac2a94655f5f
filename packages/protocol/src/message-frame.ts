/** What a message frame is made of; the ids are known to be UUIDs, `payloadJson` to be JSON text. */
export interface MessageFrameFields {
  readonly conversationId: string;
  readonly seq: number;
  readonly messageId: string;
  readonly eventType: string;
  /** RFC 3339, as `formatTime` gives it. */
  readonly occurredAt: string;
  readonly membersVersion: number;
  /** The payload as it was stored; spliced in untouched, so what the sender encrypted arrives byte by byte. */
  readonly payloadJson: string;
  /** How often an operator has sent it again; 0 or undefined: never. */
  readonly replay?: number | undefined;
}

const NEEDS_NO_ESCAPING = /^[A-Za-z0-9._:-]*$/;

/**
 * The JSON text of a `message` frame. The payload is never parsed: parsing would cost more than all the
 * rest, and would change numbers that a double cannot hold.
 */
export function encodeMessageFrame(fields: MessageFrameFields): string {
  const { eventType, replay } = fields;
  const eventTypeJson = NEEDS_NO_ESCAPING.test(eventType) ? `"${eventType}"` : JSON.stringify(eventType);
  const replayJson = replay === undefined || replay < 1 ? '' : `,"replay":${replay}`;
  return (
    `{"type":"message","conversation_id":"${fields.conversationId}","seq":${fields.seq},` +
    `"message_id":"${fields.messageId}","event_type":${eventTypeJson},"occurred_at":"${fields.occurredAt}",` +
    `"members_version":${fields.membersVersion}${replayJson},"payload":${fields.payloadJson}}`
  );
}
