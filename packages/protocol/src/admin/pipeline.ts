import { z } from 'zod';
import { seq, seqText, time } from '../schemas/scalars.ts';
import { count, rate, seconds } from './common.ts';
import { controlledStage } from './controls.ts';

/**
 * The stages in the order in which a message passes them. `outbox` is Postgres, `stream` is Redis: the two stores
 * are drawn as stages, so that the red one is what failed and not whoever waits for it.
 */
export const STAGES = ['intake', 'outbox', 'dispatcher', 'stream', 'consumer', 'hub', 'clients'] as const;
export const stageName = z.enum(STAGES);
export type StageName = z.output<typeof stageName>;

/**
 * - `ok`: does its part;
 * - `degraded`: works, but later or less than it should, or waits for another stage that is down;
 * - `down`: the trouble is here;
 * - `paused`: an operator paused it;
 * - `off`: switched off by its flag on every pod.
 */
export const health = z.enum(['ok', 'degraded', 'down', 'paused', 'off']);
export type Health = z.output<typeof health>;

/** One stage over all pods. Figures that a stage does not have, or that cannot be had now, are null. */
export const stage = z.object({
  name: stageName,
  health,
  /** In words, what is wrong and with whom; null where nothing is. */
  cause: z.string().nullable(),
  /** What it handed on in the last seconds: messages (for `clients`: message frames) a second. */
  rate: rate.nullable(),
  /** Failures a second. */
  error_rate: rate.nullable(),
  /** How far behind it is: age of the oldest thing that waits for it. */
  lag_seconds: seconds.nullable(),
  /** Pending rows; entries on the stream; entries read and not acknowledged; connections that are slow. */
  backlog: count.nullable(),
  /** Pods that do this now, and pods alive. */
  pods: count,
  pods_alive: count,
});
export type Stage = z.output<typeof stage>;

export const podState = z.enum(['starting', 'ready', 'degraded', 'not_ready', 'draining', 'gone']);

/** One process of the service, as it last said of itself. */
export const pod = z.object({
  /** New with each start. */
  instance: z.uuid(),
  name: z.string(),
  state: podState,
  /** `/readyz`' words: `redis_unreachable`, `postgres_unreachable`, `dispatcher_stuck` … */
  reasons: z.array(z.string()),
  version: z.string(),
  started_at: time,
  seen_at: time,
  dispatcher: z.boolean(),
  consumer: z.boolean(),
  /** Stages that are paused on this pod now. */
  paused: z.array(controlledStage),
  connections: count,
  slow_connections: count,
  conversations: count,
  epoch: seq,
});
export type Pod = z.output<typeof pod>;

/** Figures of the stores themselves, the same for every pod; null while the store cannot be asked. */
export const storeFigures = z.object({
  outbox: z.object({ pending: count, oldest_pending_seconds: seconds, dead_rows: count }).nullable(),
  stream: z
    .object({
      length: count,
      max_length: count,
      /** Read and not acknowledged. */
      pending: count,
      oldest_unread_seconds: seconds,
    })
    .nullable(),
});

/** Of what passed in the last seconds, milliseconds; null where nothing passed. */
export const latency = z.object({ p50_ms: z.number().nullable(), p95_ms: z.number().nullable() });
export type Latency = z.output<typeof latency>;

/** `GET /admin/v1/pipeline`; the data of each `pipeline` event of `GET /admin/v1/pipeline/stream`. */
export const pipeline = z.object({
  at: time,
  /** Name of the pod that answers. */
  answered_by: z.string(),
  epoch: seq,
  stages: z.array(stage),
  stores: storeFigures,
  /** Commit → broadcast, and commit → a client's `ack`. */
  lag: latency,
  end_to_end: latency,
  pods: z.array(pod),
});
export type Pipeline = z.output<typeof pipeline>;

export const HISTORY_MINUTES_MAX = 30;
const HISTORY_MINUTES_DEFAULT = 15;

/** `GET /admin/v1/pipeline/history` */
export const pipelineHistoryQuery = z.object({
  minutes: seqText
    .pipe(z.int().min(1).max(HISTORY_MINUTES_MAX))
    .default(HISTORY_MINUTES_DEFAULT)
    .meta({
      parameter: {
        type: 'integer',
        minimum: 1,
        maximum: HISTORY_MINUTES_MAX,
        default: HISTORY_MINUTES_DEFAULT,
      },
    }),
});

/** A moment of the past, over all pods: rates a second, latencies in milliseconds. */
export const historyPoint = z.object({
  at: time,
  accepted: rate,
  dispatched: rate,
  published: rate,
  consumed: rate,
  delivered: rate,
  errors: rate,
  pending: count.nullable(),
  oldest_unread_seconds: seconds.nullable(),
  connections: count,
  lag_p50_ms: z.number().nullable(),
  lag_p95_ms: z.number().nullable(),
  end_to_end_p50_ms: z.number().nullable(),
  end_to_end_p95_ms: z.number().nullable(),
});
export type HistoryPoint = z.output<typeof historyPoint>;

/** Oldest first. It is kept in the memory of the pod that answers, and begins with that pod's start. */
export const pipelineHistory = z.object({
  answered_by: z.string(),
  step_ms: count,
  points: z.array(historyPoint),
});
export type PipelineHistory = z.output<typeof pipelineHistory>;
