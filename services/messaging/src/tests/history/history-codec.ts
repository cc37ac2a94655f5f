import type { HistoryEvent, HistoryEventOf } from './history.ts';

type FieldsOf<T extends HistoryEvent['type']> = readonly Exclude<keyof HistoryEventOf<T>, 'type' | 'at'>[];

/** The order in which the fields of each event stand on its line, behind type and time. */
export const FIELDS = {
  begin: ['process', 'wallMs', 'seesCommits', 'seesExpiry'],
  wall: ['wallMs'],
  fault: ['phase', 'name', 'pod'],
  end: [],
  post: ['post', 'process', 'pod', 'conversationId', 'messageId', 'hash', 'sender'],
  post_ok: ['post', 'seq', 'epoch', 'repeat'],
  post_fail: ['post', 'code'],
  post_unknown: ['post', 'code'],
  commit: ['conversationId', 'seq', 'messageId', 'epoch'],
  connect: ['connection', 'client', 'userId', 'process', 'pod', 'operator'],
  hello: ['connection', 'subscribe', 'epoch', 'cursors', 'withoutCursor'],
  ready: ['connection', 'epoch', 'credit'],
  subscribe: ['connection', 'conversationId', 'after'],
  unsubscribe: ['connection', 'conversationId'],
  subscribed: ['connection', 'conversationId', 'own', 'after', 'code'],
  message: ['connection', 'conversationId', 'seq', 'messageId', 'hash', 'effect', 'replay'],
  gap: ['connection', 'conversationId', 'from', 'to', 'reason', 'effect'],
  member: ['connection', 'conversationId', 'change', 'seq', 'head', 'membersVersion', 'effect'],
  reset: ['connection', 'conversationId', 'epoch', 'reason'],
  caught_up: ['connection'],
  ack: ['connection', 'delivered'],
  close: ['connection', 'code'],
  read: ['process', 'userId', 'conversationId', 'seq', 'messageId', 'hash', 'epoch'],
  membership: ['phase', 'change', 'kind', 'conversationId', 'userIds', 'by', 'joinedSeq'],
  operation: ['phase', 'operation', 'kind', 'places', 'epoch', 'heads'],
  entry: ['conversationId', 'seq', 'messageId', 'hash', 'epoch', 'replay', 'resent'],
  observe: [],
} as const satisfies { readonly [T in HistoryEvent['type']]: FieldsOf<T> };

/** One line, without its end. */
export function encodeEvent(event: HistoryEvent): string {
  const fields: readonly string[] = FIELDS[event.type];
  const values = fields.map((name) => (event as unknown as Record<string, unknown>)[name]);
  while (values.length > 0 && values.at(-1) === undefined) values.pop();
  return JSON.stringify([event.type, Math.round(event.at * 1000) / 1000, ...values]);
}

/** @throws SyntaxError where the line is no event; the values themselves are trusted */
export function decodeEvent(line: string): HistoryEvent {
  const values = JSON.parse(line) as unknown[];
  const fields: readonly string[] | undefined = FIELDS[values[0] as HistoryEvent['type']];
  if (fields === undefined || values.length > fields.length + 2) {
    throw new SyntaxError(`no event of this history: ${line.slice(0, 80)}`);
  }
  const event: Record<string, unknown> = { type: values[0], at: values[1] };
  for (let n = 2; n < values.length; n++) {
    const value = values[n];
    if (value !== null) event[fields[n - 2]!] = value;
  }
  return event as unknown as HistoryEvent;
}
