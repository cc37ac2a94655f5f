import { z } from 'zod';
import { opaqueId, time, userId } from '../schemas/scalars.ts';
import { count, cursor, limit, nextCursor, operator, reason } from './common.ts';

/**
 * `POST /admin/v1/revocations`: of a user, every token issued until now; of a login (`sid`), every token for good.
 * Live connections close with 4503 on every pod within 2 s. Repeatable.
 */
export const revocationBody = z
  .strictObject({ user_id: userId.optional(), sid: opaqueId.optional(), reason: reason.optional() })
  .refine((body) => (body.user_id === undefined) !== (body.sid === undefined), {
    message: 'exactly one of user_id and sid is needed',
  });
export type RevocationBody = z.input<typeof revocationBody>;

export const revocation = z.object({
  user_id: userId.nullable(),
  sid: opaqueId.nullable(),
  revoked_at: time,
  revoked_by: operator,
  reason: z.string().nullable(),
});
export type Revocation = z.output<typeof revocation>;

/** `201`: so many connections of that user or login were open on the pods that answered, and are closing. */
export const revoked = revocation.extend({
  connections: count,
  /** Names of pods that did not answer in time; what is open there closes all the same, and is not counted. */
  pods_missing: z.array(z.string()),
});
export type Revoked = z.output<typeof revoked>;

/** `GET /admin/v1/revocations`, the latest first. */
export const revocationsQuery = z.object({ cursor: cursor.optional(), limit });
export const revocations = z.object({ revocations: z.array(revocation), next_cursor: nextCursor });
export type Revocations = z.output<typeof revocations>;
