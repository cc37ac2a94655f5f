import { z } from 'zod';
import { messageSeq, seq, time, uuid } from '../schemas/scalars.ts';
import { count } from './common.ts';

export const traceParams = z.object({ message_id: uuid });
export const traceQuery = z.object({
  /** Where the same `message_id` stands in several conversations. */
  conversation_id: uuid.optional(),
});

/** A connection with a place in the message's conversation. */
export const tracedReader = z.object({
  pod: z.string(),
  connection_id: z.string(),
  user_id: z.string(),
  /** It has been sent everything up to here. */
  cursor: seq,
  /** It is past the message: the frame was written to its socket, or its client had it already. */
  past: z.boolean(),
  slow: z.boolean(),
});
export type TracedReader = z.output<typeof tracedReader>;

/** `GET /admin/v1/messages/{message_id}/trace`: where the message has come to. */
export const trace = z.object({
  message_id: uuid,
  event_id: uuid,
  conversation_id: uuid,
  seq: messageSeq,
  event_type: z.string(),
  /** The JSON text's size: the content is nobody's business here. */
  size_bytes: count,
  sender: z.string().nullable(),
  accepted: z.object({ at: time }),
  dispatch: z.object({
    status: z.enum(['pending', 'sent', 'dead']),
    at: time.nullable(),
    attempts: count,
    last_error: z.string().nullable(),
    next_attempt_at: time.nullable(),
    replay_no: count,
  }),
  /** As Redis says now; null: Redis cannot be asked. */
  stream: z
    .object({
      /**
       * `found`; `gone`: trimmed, or lost by Redis; `not_sent`: not dispatched yet; `too_many`: more entries stand
       * between than are looked through.
       */
      state: z.enum(['found', 'gone', 'not_sent', 'too_many']),
      entry_id: z.string().nullable(),
      /** A consumer has read it. */
      read: z.boolean().nullable(),
      /** It was published and acknowledged. */
      published: z.boolean().nullable(),
      /** Who has it unacknowledged. */
      pending_with: z.string().nullable(),
    })
    .nullable(),
  /** Present members of the conversation. */
  members: count,
  readers: z.array(tracedReader),
  readers_past: count,
  readers_total: count,
  /** Pods that did not answer in time: their readers are missing above. */
  pods_missing: z.array(z.string()),
});
export type Trace = z.output<typeof trace>;
