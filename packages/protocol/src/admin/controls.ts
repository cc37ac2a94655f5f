import { z } from 'zod';
import { time } from '../schemas/scalars.ts';
import { operator, reason } from './common.ts';

/** What can be paused everywhere, without a restart. */
export const CONTROLLED_STAGES = ['dispatcher', 'consumer', 'delivery'] as const;
export const controlledStage = z.enum(CONTROLLED_STAGES);
export type ControlledStage = z.output<typeof controlledStage>;

const PAUSE_MAX_SECONDS = 7 * 24 * 3600;

/** `PUT /admin/v1/controls`: pauses or resumes one stage on every pod within a second. */
export const putControl = z.strictObject({
  stage: controlledStage,
  paused: z.boolean(),
  reason,
  /** It resumes by itself after this. */
  expires_in_seconds: z.int().min(1).max(PAUSE_MAX_SECONDS).optional(),
});
export type PutControl = z.input<typeof putControl>;

export const control = z.object({
  stage: controlledStage,
  paused: z.boolean(),
  /** The last change: by whom, why, when; null where there was none. */
  changed_by: operator.nullable(),
  reason: z.string().nullable(),
  since: time.nullable(),
  expires_at: time.nullable(),
  /** Names of live pods that have not followed yet. */
  pods_behind: z.array(z.string()),
});
export type Control = z.output<typeof control>;

/** `GET` and `PUT /admin/v1/controls` */
export const controls = z.object({ controls: z.array(control) });
export type Controls = z.output<typeof controls>;
