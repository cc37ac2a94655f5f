import { z } from 'zod';
import { time } from '../schemas/scalars.ts';
import { count, cursor, limit, nextCursor, operator } from './common.ts';

/** `GET /admin/v1/audit`, the latest first. */
export const auditQuery = z.object({ cursor: cursor.optional(), limit });

/** One change by an operator. */
export const auditEntry = z.object({
  id: count,
  at: time,
  by: operator,
  /** `pause`, `resume`, `requeue`, `replay`, `stop_job`, `revoke`, `prune`, `ensure_partitions`, `raise_epoch` */
  action: z.string(),
  /** Of what: a stage, a conversation, a user, a login, a job. */
  target: z.string(),
  parameters: z.record(z.string(), z.unknown()),
});
export type AuditEntry = z.output<typeof auditEntry>;

export const audit = z.object({ entries: z.array(auditEntry), next_cursor: nextCursor });
export type Audit = z.output<typeof audit>;

/** `GET /admin/v1/me`: whom the token names. */
export const me = z.object({ sub: operator, expires_at: time });
export type Me = z.output<typeof me>;
