import { z } from 'zod';
import { describeIssue } from './problems.ts';
import { eventType, seqText, time, uuid } from './scalars.ts';

/** Version of the entry's layout, in its field `v`. */
export const STREAM_ENTRY_VERSION = 1;

/**
 * An entry of the Redis Stream. On the stream every field is a text; numbers are canonical decimals.
 * `payload` stays a text: it is JSON, goes into the frame as it is, and is never looked into.
 */
export const streamEntry = z
  .object({
    v: z.literal(String(STREAM_ENTRY_VERSION)).transform(() => STREAM_ENTRY_VERSION),
    epoch: seqText,
    event_id: uuid,
    message_id: uuid,
    conversation_id: uuid,
    seq: seqText.refine((seq) => seq >= 1),
    event_type: eventType,
    occurred_at: time,
    members_version: seqText,
    replay: seqText,
    resent: z.enum(['0', '1']).transform((text) => text === '1'),
    payload: z.string().refine(isJson, 'not JSON').meta({ description: 'JSON text' }),
  })
  .meta({ id: 'StreamEntry', description: 'An entry of the stream, version 1' });

export type StreamEntry = z.output<typeof streamEntry>;

/** The entry's fields in the order in which they are written. */
export const STREAM_ENTRY_FIELDS = Object.keys(streamEntry.shape) as readonly (keyof StreamEntry)[];

/** The entry, or the first field that is missing or wrong, and in words that hold nothing of it why. */
export type StreamEntryResult =
  { ok: true; entry: StreamEntry } | { ok: false; field: keyof StreamEntry; detail: string };

/**
 * Reads the fields of a stream entry, as Redis gives them: name, value, name, value, … Fields that are not
 * known are ignored; of a repeated one the last counts.
 */
export function parseStreamEntry(flat: readonly string[]): StreamEntryResult {
  const fields: Record<string, string | undefined> = {};
  for (const name of STREAM_ENTRY_FIELDS) fields[name] = undefined;
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i] as string;
    if (Object.hasOwn(fields, name)) fields[name] = flat[i + 1];
  }
  const result = streamEntry.safeParse(fields);
  if (result.success) return { ok: true, entry: result.data };
  const issue = result.error.issues[0];
  return { ok: false, field: (issue?.path[0] ?? 'v') as keyof StreamEntry, detail: describeIssue(issue) };
}

/** The fields of an entry as `XADD` takes them: name, value, name, value, … */
export function encodeStreamEntry(entry: Omit<StreamEntry, 'v'>): string[] {
  const texts: Record<keyof StreamEntry, string> = {
    ...entry,
    v: String(STREAM_ENTRY_VERSION),
    epoch: String(entry.epoch),
    seq: String(entry.seq),
    members_version: String(entry.members_version),
    replay: String(entry.replay),
    resent: entry.resent ? '1' : '0',
  };
  return STREAM_ENTRY_FIELDS.flatMap((name) => [name, texts[name]]);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
