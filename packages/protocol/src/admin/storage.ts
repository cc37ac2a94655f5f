import { z } from 'zod';
import { time } from '../schemas/scalars.ts';
import { count, seconds } from './common.ts';

/** `range`: the days' partitions; `default`: what had no partition of its own; `kept`: dead rows that outlived theirs. */
export const partition = z.object({
  name: z.string(),
  kind: z.enum(['range', 'default', 'kept']),
  /** [from, to) of `occurred_at`; null but for `range`. */
  from: time.nullable(),
  to: time.nullable(),
  bytes: count,
  /** The planner's estimate; exact for `default` and `kept`, up to 100,000. */
  rows: count,
  /** Older than the retention: the next prune drops it. */
  expired: z.boolean(),
});
export type Partition = z.output<typeof partition>;

/** A background job of the service that one pod at a time does. */
export const backgroundJob = z.object({
  name: z.string(),
  last_success_at: time.nullable(),
  last_error: z.string().nullable(),
});

/** `GET /admin/v1/partitions` */
export const partitions = z.object({
  partitions: z.array(partition),
  retention: z.object({ outbox_days: count, dlq_days: count }),
  /** For how long from now on there are partitions. */
  ahead_seconds: seconds,
  dlq_rows: count,
  background_jobs: z.array(backgroundJob),
});
export type Partitions = z.output<typeof partitions>;

export const groupConsumer = z.object({
  name: z.string(),
  pending: count,
  /** Since it last asked for entries. */
  idle_ms: count,
  /** A live pod has this name; null in groups of others, whose consumers are no pods of ours. */
  alive: z.boolean().nullable(),
});

export const consumerGroup = z.object({
  name: z.string(),
  pending: count,
  last_delivered_id: z.string(),
  /** Entries behind the last one delivered; null where Redis does not know. */
  lag: count.nullable(),
  consumers: z.array(groupConsumer),
});

/** `GET /admin/v1/consumers`: `XINFO` of each stream of this installation. */
export const consumerGroups = z.object({
  streams: z.array(
    z.object({
      name: z.string(),
      length: count,
      first_entry_at: time.nullable(),
      last_entry_at: time.nullable(),
      groups: z.array(consumerGroup),
    }),
  ),
});
export type ConsumerGroups = z.output<typeof consumerGroups>;
