import { z } from 'zod';
import { pageCursor, pageLimit, userId } from '../schemas/scalars.ts';

/** Scalars that several of the admin API's schemas share. */

/** A count, or a cumulative figure. */
export const count = z.int().min(0);
/** Events a second. */
export const rate = z.number().min(0);
export const seconds = z.number().min(0);

/** Who asked for a change: a token's `sub`, or `psql:<role>` for what was done in the database. */
export const operator = userId;

/** Why a change was made, in an operator's words; kept in the audit. */
export const reason = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .regex(/^[^\p{Cc}]*$/u);

export const limit = pageLimit;
export const cursor = pageCursor;
export const nextCursor = pageCursor.nullable();

/** `true` or `false` in a query string. */
export const flagText = z
  .enum(['true', 'false'])
  .transform((value) => value === 'true')
  .meta({ parameter: { type: 'boolean' } });
