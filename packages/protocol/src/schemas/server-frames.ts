import { z } from 'zod';
import { CREDIT_MAX, CREDIT_MIN, FEATURES_MAX, SUBSCRIBE_MAX } from '../limits.ts';
import {
  durationMs,
  errorCode,
  eventType,
  messageSeq,
  opaqueId,
  requestId,
  seq,
  time,
  userId,
  uuid,
} from './scalars.ts';

/** The frames a server sends. A client takes more: unknown fields, codes and reasons do not make it fail. */

export const readyFrame = z
  .object({
    type: z.literal('ready'),
    connection_id: opaqueId,
    user_id: userId,
    epoch: seq,
    features: z.array(z.string()).max(FEATURES_MAX),
    heartbeat_ms: durationMs,
    credit: z.int().min(CREDIT_MIN).max(CREDIT_MAX),
    max_frame_bytes: z.int().min(1),
    payload_max_bytes: z.int().min(1),
    expires_at: time,
    server_time: time,
  })
  .meta({ id: 'ReadyFrame', title: 'ready', description: 'The answer to `hello`' });

const itemFailed = z.object({ conversation_id: uuid, status: z.literal('error'), code: errorCode });

export const subscribedFrame = z
  .object({
    type: z.literal('subscribed'),
    id: requestId.optional(),
    conversations: z
      .array(
        z.union([
          z.object({ conversation_id: uuid, status: z.literal('ok'), after: seq, head: seq, min: seq }),
          itemFailed,
        ]),
      )
      .max(SUBSCRIBE_MAX),
  })
  .meta({ id: 'SubscribedFrame', title: 'subscribed', description: 'Where delivery begins' });

export const unsubscribedFrame = z
  .object({
    type: z.literal('unsubscribed'),
    id: requestId.optional(),
    conversations: z
      .array(z.union([z.object({ conversation_id: uuid, status: z.literal('ok') }), itemFailed]))
      .max(SUBSCRIBE_MAX),
  })
  .meta({ id: 'UnsubscribedFrame', title: 'unsubscribed', description: 'Delivery has ended' });

export const messageFrame = z
  .object({
    type: z.literal('message'),
    conversation_id: uuid,
    seq: messageSeq,
    message_id: uuid,
    event_type: eventType,
    occurred_at: time,
    members_version: seq,
    replay: z.int().min(1).optional().meta({ description: 'How often an operator has sent it again' }),
    payload: z.unknown().meta({
      description:
        '`{"ciphertext", "encryption"?, "sender"}` where it came by HTTP; any JSON where an operator wrote it',
    }),
  })
  .meta({ id: 'MessageFrame', title: 'message', description: 'One message' });

export const gapReason = z.enum(['dead_letter', 'retention', 'not_member', 'missing']);

export const gapFrame = z
  .object({
    type: z.literal('gap'),
    conversation_id: uuid,
    from: messageSeq,
    to: messageSeq,
    reason: gapReason,
  })
  .meta({ id: 'GapFrame', title: 'gap', description: 'Messages that will not come, and why' });

export const resetFrame = z
  .object({
    type: z.literal('reset'),
    conversation_id: z.union([uuid, z.literal('*')]),
    epoch: seq,
    head: seq.optional(),
    reason: z.enum(['epoch', 'cursor_ahead']),
  })
  .meta({ id: 'ResetFrame', title: 'reset', description: 'That cursor means nothing any more' });

export const caughtUpFrame = z.object({ type: z.literal('caught_up') }).meta({
  id: 'CaughtUpFrame',
  title: 'caught_up',
  description: 'All that `hello` asked for has been sent, up to the heads at `ready`',
});

export const memberFrame = z
  .object({
    type: z.literal('member'),
    conversation_id: uuid,
    change: z.enum(['added', 'removed']),
    user_id: userId,
    seq,
    head: seq,
    members_version: seq,
  })
  .meta({ id: 'MemberFrame', title: 'member', description: 'This user was added or removed' });

export const authenticatedFrame = z
  .object({ type: z.literal('authenticated'), expires_at: time })
  .meta({ id: 'AuthenticatedFrame', title: 'authenticated', description: 'The new token is in force' });

export const pongFrame = z
  .object({ type: z.literal('pong'), id: requestId, server_time: time })
  .meta({ id: 'PongFrame', title: 'pong', description: 'The answer to `ping`' });

export const heartbeatFrame = z
  .object({ type: z.literal('heartbeat'), server_time: time })
  .meta({ id: 'HeartbeatFrame', title: 'heartbeat', description: 'The connection lives' });

export const goawayFrame = z
  .object({
    type: z.literal('goaway'),
    reason: z.literal('drain'),
    reconnect_after_ms: durationMs,
    deadline_ms: durationMs,
  })
  .meta({ id: 'GoawayFrame', title: 'goaway', description: 'Open another socket, then close this one' });

export const errorFrame = z
  .object({
    type: z.literal('error'),
    id: requestId.optional(),
    code: errorCode,
    retry_after_ms: durationMs.optional(),
  })
  .meta({ id: 'ErrorFrame', title: 'error', description: 'A frame was not acted on' });
