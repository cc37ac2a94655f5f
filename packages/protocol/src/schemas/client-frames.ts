import { z } from 'zod';
import {
  CREDIT_DEFAULT,
  CREDIT_MAX,
  CREDIT_MIN,
  CURSORS_FRAME_MAX,
  FEATURE_NAME_MAX_LENGTH,
  FEATURES_MAX,
  HELLO_CURSORS_MAX,
  SUBSCRIBE_MAX,
} from '../limits.ts';
import { opaqueId, requestId, seq, uuid } from './scalars.ts';

/**
 * The frames a client sends. What can be decided without a connection's state is decided here; what needs
 * it (a second `hello`, a conversation twice in two `cursors` frames, a false `ack`) is the session's.
 */

const cursorEntry = z.tuple([uuid, seq]);

function cursors(max: number) {
  return z
    .array(cursorEntry)
    .max(max)
    .refine((entries) => isDistinct(entries, ([conversationId]) => conversationId), {
      error: 'a conversation stands twice',
    });
}

export const helloFrame = z
  .object({
    type: z.literal('hello'),
    token: z.string().optional(),
    device_id: opaqueId.optional(),
    features: z.array(z.string().max(FEATURE_NAME_MAX_LENGTH)).max(FEATURES_MAX).default([]),
    subscribe: z.enum(['all', 'none']).default('all'),
    epoch: seq.optional(),
    cursors: cursors(HELLO_CURSORS_MAX).default([]),
    more: z.boolean().default(false),
    without_cursor: z.enum(['head', 'start']).default('head'),
    credit: z.int().min(CREDIT_MIN).max(CREDIT_MAX).default(CREDIT_DEFAULT),
  })
  .refine((hello) => hello.epoch !== undefined || !bringsCursors(hello), {
    error: 'cursors without their epoch',
    path: ['epoch'],
  })
  .refine((hello) => hello.subscribe === 'all' || !bringsCursors(hello), {
    error: 'cursors only with "all"',
    path: ['cursors'],
  })
  .meta({ id: 'HelloFrame', title: 'hello', description: 'First frame of a client, within 5 s' });

export const cursorsFrame = z
  .strictObject({
    type: z.literal('cursors'),
    cursors: cursors(CURSORS_FRAME_MAX),
    more: z.boolean().default(false),
  })
  .meta({ id: 'CursorsFrame', title: 'cursors', description: 'Further cursors, straight after `hello`' });

export const subscribeItem = z.strictObject({
  conversation_id: uuid,
  after: z.union([seq, z.enum(['head', 'start'])]).default('head'),
});

export const subscribeFrame = z
  .strictObject({
    type: z.literal('subscribe'),
    id: requestId,
    conversations: z
      .array(subscribeItem)
      .max(SUBSCRIBE_MAX)
      .refine((items) => isDistinct(items, (item) => item.conversation_id), {
        error: 'a conversation stands twice',
      }),
  })
  .meta({ id: 'SubscribeFrame', title: 'subscribe', description: 'Begins, or re-seats, conversations' });

export const unsubscribeFrame = z
  .strictObject({
    type: z.literal('unsubscribe'),
    id: requestId,
    conversations: z
      .array(uuid)
      .max(SUBSCRIBE_MAX)
      .refine((ids) => isDistinct(ids, (id) => id), {
        error: 'a conversation stands twice',
      }),
  })
  .meta({ id: 'UnsubscribeFrame', title: 'unsubscribe', description: 'Ends conversations' });

export const ackFrame = z
  .object({ type: z.literal('ack'), delivered: seq })
  .meta({ id: 'AckFrame', title: 'ack', description: 'Counted frames received so far; gives credit back' });

export const authFrame = z
  .strictObject({ type: z.literal('auth'), token: z.string() })
  .meta({ id: 'AuthFrame', title: 'auth', description: 'Renews the token without reconnecting' });

export const pingFrame = z
  .strictObject({ type: z.literal('ping'), id: requestId })
  .meta({ id: 'PingFrame', title: 'ping', description: 'Asks for a `pong`' });

/** A client frame as it comes out of its schema, defaults filled in. */
export type ParsedClientFrame = z.output<
  | typeof helloFrame
  | typeof cursorsFrame
  | typeof subscribeFrame
  | typeof unsubscribeFrame
  | typeof ackFrame
  | typeof authFrame
  | typeof pingFrame
>;

export type ParsedHelloFrame = z.output<typeof helloFrame>;

function bringsCursors(hello: { cursors: readonly unknown[]; more: boolean }): boolean {
  return hello.cursors.length > 0 || hello.more;
}

function isDistinct<T>(items: readonly T[], key: (item: T) => string): boolean {
  const seen = new Set<string>();
  for (const item of items) seen.add(key(item));
  return seen.size === items.length;
}
