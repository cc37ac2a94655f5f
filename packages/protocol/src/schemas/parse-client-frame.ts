import type { z } from 'zod';
import type { CursorEntry, RequestId } from '../frames.ts';
import {
  CURSORS_FRAME_MAX,
  FEATURES_MAX,
  HELLO_CURSORS_MAX,
  REQUEST_ID_MAX_LENGTH,
  SUBSCRIBE_MAX,
} from '../limits.ts';
import { isSeq, isUuid } from '../scalars.ts';
import {
  ackFrame,
  authFrame,
  cursorsFrame,
  helloFrame,
  pingFrame,
  subscribeFrame,
  subscribeItem,
  unsubscribeFrame,
  type ParsedClientFrame,
} from './client-frames.ts';
import { describeIssue } from './problems.ts';

/**
 * What became of a client's text:
 * - a frame, defaults filled in;
 * - `fatal`: close with 4500; `detail` is for the log and echoes nothing that was sent;
 * - not fatal: answer with an `error` frame of this code (and `id`), do not act, live on.
 */
export type ClientFrameResult =
  | { ok: true; frame: ParsedClientFrame }
  | { ok: false; fatal: true; code: 'bad_frame'; detail: string }
  | { ok: false; fatal: false; code: 'unknown_type' | 'unknown_field'; id?: RequestId };

interface FrameRule {
  readonly schema: z.ZodType<ParsedClientFrame>;
  readonly fields: ReadonlySet<string>;
  /** Unknown fields are ignored rather than answered. */
  readonly isOpen: boolean;
  /** Longest lists, checked before the schema looks at each element. */
  readonly listMax: Readonly<Record<string, number>>;
}

const RULES: ReadonlyMap<string, FrameRule> = new Map([
  rule(helloFrame, { isOpen: true, listMax: { cursors: HELLO_CURSORS_MAX, features: FEATURES_MAX } }),
  rule(cursorsFrame, { listMax: { cursors: CURSORS_FRAME_MAX } }),
  rule(subscribeFrame, { listMax: { conversations: SUBSCRIBE_MAX } }),
  rule(unsubscribeFrame, { listMax: { conversations: SUBSCRIBE_MAX } }),
  rule(ackFrame, { isOpen: true }),
  rule(authFrame, {}),
  rule(pingFrame, {}),
]);

const SUBSCRIBE_ITEM_FIELDS: ReadonlySet<string> = new Set(Object.keys(subscribeItem.shape));

/**
 * Reads one text frame of a client. Never throws. The text is bounded by the socket (`maxPayload`); beyond
 * that the work is linear in it. A repeated key counts as its last, as `JSON.parse` has it.
 *
 * An unknown field comes before a wrong value: a newer client's frame may hold both, and must not lock it
 * out of an older pod.
 */
export function parseClientFrame(text: string): ClientFrameResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return badFrame('not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return badFrame('not an object');
  const fields = value as Record<string, unknown>;
  const { type } = fields;
  if (typeof type !== 'string') return badFrame('no type, or not a text');

  // The two that come all the time; the schemas below say the same, and a test holds them together.
  if (type === 'ack') {
    const { delivered } = fields;
    return isSeq(delivered) ? { ok: true, frame: { type, delivered } } : badFrame('ack: delivered');
  }
  if (type === 'ping' && isRequestId(fields['id']) && Object.keys(fields).length === 2) {
    return { ok: true, frame: { type, id: fields['id'] } };
  }

  const known = RULES.get(type);
  if (!known) return unknownPart('unknown_type', fields);
  if (!known.isOpen && !hasOnly(fields, known.fields)) return unknownPart('unknown_field', fields);
  for (const [name, max] of Object.entries(known.listMax)) {
    const list = fields[name];
    if (Array.isArray(list) && list.length > max) return badFrame(`${type}: ${name}: more than ${max}`);
  }
  if (type === 'subscribe' && !itemsHaveOnlyKnownFields(fields['conversations'])) {
    return unknownPart('unknown_field', fields);
  }
  // Hundreds of cursors come when everybody comes back at once: the schema makes several objects of each.
  const { cursors } = fields;
  const areTaken = isListOfCursors(cursors);
  const result = known.schema.safeParse(areTaken ? { ...fields, cursors: cursors.slice(0, 1) } : fields);
  if (result.success) {
    return { ok: true, frame: areTaken ? ({ ...result.data, cursors } as ParsedClientFrame) : result.data };
  }
  return badFrame(`${type}: ${describeIssue(result.error.issues[0])}`);
}

/** What the schema says of `cursors`: a test holds them together. */
function isListOfCursors(value: unknown): value is CursorEntry[] {
  if (!Array.isArray(value)) return false;
  const seen = new Set<unknown>();
  for (const entry of value as unknown[]) {
    if (!Array.isArray(entry) || entry.length !== 2 || !isUuid(entry[0]) || !isSeq(entry[1])) return false;
    seen.add(entry[0]);
  }
  return seen.size === value.length;
}

/** Whether a value may name a request: 1–64 characters, or an integer from 0. */
export function isRequestId(value: unknown): value is RequestId {
  if (typeof value === 'string') return value.length > 0 && value.length <= REQUEST_ID_MAX_LENGTH;
  return isSeq(value);
}

function rule(
  schema: z.ZodType<ParsedClientFrame> & { shape: { type: z.ZodLiteral<ParsedClientFrame['type']> } },
  options: { isOpen?: boolean; listMax?: Readonly<Record<string, number>> },
): [string, FrameRule] {
  const fields = new Set(Object.keys(schema.shape));
  return [
    schema.shape.type.value,
    { schema, fields, isOpen: options.isOpen ?? false, listMax: options.listMax ?? {} },
  ];
}

function itemsHaveOnlyKnownFields(items: unknown): boolean {
  if (!Array.isArray(items)) return true;
  return items.every(
    (item) =>
      typeof item !== 'object' ||
      item === null ||
      Array.isArray(item) ||
      hasOnly(item, SUBSCRIBE_ITEM_FIELDS),
  );
}

function hasOnly(value: object, names: ReadonlySet<string>): boolean {
  return Object.keys(value).every((name) => names.has(name));
}

function badFrame(detail: string): ClientFrameResult {
  return { ok: false, fatal: true, code: 'bad_frame', detail };
}

function unknownPart(
  code: 'unknown_type' | 'unknown_field',
  { id }: Record<string, unknown>,
): ClientFrameResult {
  return { ok: false, fatal: false, code, ...(isRequestId(id) && { id }) };
}
