import { formatTime, isTime, isUuid, utf8Length } from '@sanctum/protocol';
import { parseStreamEntry, type StreamEntry as ParsedStreamEntry } from '@sanctum/protocol/schemas';
import type { StreamEntry, StreamMessage } from '../../ports.ts';
import { Sealed } from '../../sealed.ts';

/** Names and values of an entry, as `XADD` takes and `XREADGROUP` gives them. */
export const STREAM_ENTRY_WIDTH = 24;

/** Appends an entry's names and values to the arguments of a command. */
export function pushStreamEntry(args: string[], { epoch, resent, message }: StreamMessage): void {
  // prettier-ignore
  args.push(
    'v', '1',
    'epoch', String(epoch),
    'event_id', message.eventId,
    'message_id', message.messageId,
    'conversation_id', message.conversationId,
    'seq', String(message.seq),
    'event_type', message.eventType,
    'occurred_at', formatTime(message.occurredAt),
    'members_version', String(message.membersVersion),
    'replay', String(message.replayNo),
    'resent', resent ? '1' : '0',
    'payload', message.payload.reveal(),
  );
}

/**
 * Reads one entry. Anybody who reaches Redis can write to the stream, so each field is checked; the reason names
 * the first that is missing or wrong. The payload goes into a frame unseen, and a broken one would break the
 * frame for every client, so it must be JSON.
 */
export function decodeStreamEntry(
  place: { readonly stream: string; readonly entryId: string; readonly deliveries: number },
  flat: readonly string[],
  payloadMaxBytes: number,
): StreamEntry {
  const parsed = parseStreamEntry(flat);
  const reason = parsed.ok ? tooLarge(parsed.entry.payload, payloadMaxBytes) : `bad_${parsed.field}`;
  if (!parsed.ok || reason !== undefined)
    return { ...place, content: undefined, reason, ...whatItSays(flat) };
  const content = contentOf(parsed.entry);
  const { message } = content;
  return {
    ...place,
    content,
    reason: undefined,
    fields: message.payload,
    eventId: message.eventId,
    conversationId: message.conversationId,
    occurredAt: parsed.entry.occurred_at,
  };
}

function contentOf(entry: ParsedStreamEntry): StreamMessage {
  return {
    epoch: entry.epoch,
    resent: entry.resent,
    message: {
      conversationId: entry.conversation_id,
      seq: entry.seq,
      messageId: entry.message_id,
      eventId: entry.event_id,
      eventType: entry.event_type,
      occurredAt: Date.parse(entry.occurred_at),
      membersVersion: entry.members_version,
      replayNo: entry.replay,
      payload: new Sealed(entry.payload),
    },
  };
}

function tooLarge(payload: string, maxBytes: number): string | undefined {
  // A character takes at most three bytes: most payloads need no counting.
  return payload.length * 3 > maxBytes && utf8Length(payload) > maxBytes ? 'payload_too_large' : undefined;
}

/** What an unusable entry says of itself, as far as it can be trusted. */
function whatItSays(
  flat: readonly string[],
): Pick<StreamEntry, 'fields' | 'eventId' | 'conversationId' | 'occurredAt'> {
  const last = (name: string) => {
    const place = flat.findLastIndex((text, index) => index % 2 === 0 && text === name);
    return place < 0 ? undefined : flat[place + 1];
  };
  const [eventId, conversationId, occurredAt] = [
    last('event_id'),
    last('conversation_id'),
    last('occurred_at'),
  ];
  return {
    fields: sealedFields(flat),
    eventId: isUuid(eventId) ? eventId : undefined,
    conversationId: isUuid(conversationId) ? conversationId : undefined,
    occurredAt: isTime(occurredAt) ? occurredAt : undefined,
  };
}

/** Everything the entry holds, for the dead-letter table: pairs, since names may repeat. */
function sealedFields(flat: readonly string[]): Sealed {
  const pairs: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([flat[i] as string, flat[i + 1] as string]);
  return new Sealed(JSON.stringify(pairs));
}
