import { z } from 'zod';
import { messageSeq, seq, time, uuid } from '../schemas/scalars.ts';
import { count, cursor, limit, nextCursor, reason, seconds } from './common.ts';

/** `row`: a row of the outbox that is `dead`. `entry`: a stream entry that no consumer could use. */
export const deadLetterKind = z.enum(['row', 'entry']);
export type DeadLetterKind = z.output<typeof deadLetterKind>;

const cause = z.string().min(1).max(500);

/** `GET /admin/v1/dead-letters` */
export const deadLettersQuery = z.object({
  kind: deadLetterKind.default('row'),
  cause: cause.optional(),
  conversation_id: uuid.optional(),
  cursor: cursor.optional(),
  limit,
});

export const deadLetter = z.object({
  kind: deadLetterKind,
  /** Names it in a requeue. */
  id: z.string(),
  cause: z.string(),
  attempts: count,
  age_seconds: seconds,
  /** When the message was committed (row), or the entry was first seen. */
  at: time,
  /** What is known of it; of an entry only what it says itself. */
  conversation_id: z.string().nullable(),
  message_id: z.string().nullable(),
  event_id: z.string().nullable(),
  seq: messageSeq.nullable(),
  size_bytes: count.nullable(),
  /** Of an entry: where it stood, for `XACK` and `XRANGE`. */
  stream: z.string().nullable(),
  group: z.string().nullable(),
  entry_id: z.string().nullable(),
});
export type DeadLetter = z.output<typeof deadLetter>;

export const deadLetterCause = z.object({ cause: z.string(), count, oldest_at: time });
export type DeadLetterCause = z.output<typeof deadLetterCause>;

export const deadLetters = z.object({
  /** Newest first. */
  dead_letters: z.array(deadLetter),
  next_cursor: nextCursor,
  /** All causes of this kind, the most frequent first. */
  causes: z.array(deadLetterCause),
  total: count,
});
export type DeadLetters = z.output<typeof deadLetters>;

export const REQUEUE_IDS_MAX = 500;

/**
 * `POST /admin/v1/dead-letters/requeue`: these, or all of a cause, of a conversation, or of a kind. `200 JobEstimate`
 * with `dry_run`, else `202 Job`. Requeueing an entry sends the message that it names once more, and forgets the entry.
 */
export const requeueBody = z
  .strictObject({
    kind: deadLetterKind,
    ids: z.array(z.string().min(1).max(64)).min(1).max(REQUEUE_IDS_MAX).optional(),
    cause: cause.optional(),
    conversation_id: uuid.optional(),
    /** Must be true where neither ids, cause nor conversation narrows it. */
    all: z.boolean().optional(),
    dry_run: z.boolean().default(false),
    reason: reason.optional(),
  })
  .refine(
    (body) =>
      body.all === true ||
      body.ids !== undefined ||
      body.cause !== undefined ||
      body.conversation_id !== undefined,
    { message: 'one of ids, cause, conversation_id and all is needed' },
  );
export type RequeueBody = z.input<typeof requeueBody>;

/** `POST /admin/v1/replays`: `200 JobEstimate` with `dry_run`, else `202 Job`. */
export const replayBody = z.strictObject({
  conversation_id: uuid,
  since: time,
  /** Until now unless given: a dry run's answer says what that was. */
  until: time.optional(),
  dry_run: z.boolean().default(false),
  reason: reason.optional(),
});
export type ReplayBody = z.input<typeof replayBody>;

/** What a requeue or a replay would touch. */
export const jobEstimate = z.object({
  messages: count,
  conversations: count,
  /** Connections that would get them now, over the pods that answered and the conversations that were looked at. */
  clients: count,
  /** Pods that did not answer in time: their connections are missing above. */
  pods_missing: z.array(z.string()),
  /** Conversations whose connections were not looked at, since there are too many. */
  conversations_uncounted: count,
  /** Of the one conversation: the first and last place; null where there are several, or nothing. */
  from: seq.nullable(),
  to: seq.nullable(),
  /** Of a replay: ask for it until then, and nothing that was sent later is replayed. */
  until: time.optional(),
});
export type JobEstimate = z.output<typeof jobEstimate>;
