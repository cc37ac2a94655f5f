import { z } from 'zod';
import { time, userId } from '../schemas/scalars.ts';
import { count, cursor, flagText, limit, nextCursor } from './common.ts';

/** A session's states (docs/protocol.md). */
export const connectionState = z.enum(['hello', 'cursors', 'opening', 'live']);
export type ConnectionState = z.output<typeof connectionState>;

/** `GET /admin/v1/connections` */
export const connectionsQuery = z.object({
  pod: z.string().min(1).max(200).optional(),
  state: connectionState.optional(),
  slow: flagText.optional(),
  user_id: userId.optional(),
  cursor: cursor.optional(),
  limit,
});

export const connectionView = z.object({
  connection_id: z.string(),
  pod: z.string(),
  user_id: z.string().nullable(),
  state: connectionState,
  opened_at: time,
  /** Something is due to it and may not be sent, for want of credit or of room in its socket. */
  slow: z.boolean(),
  /** Since when, in seconds; null where it is not slow. */
  slow_seconds: z.number().nullable(),
  catching_up: z.boolean(),
  going_away: z.boolean(),
  conversations: count,
  /** Frames that it may still be sent before it acknowledges, of how many. */
  credit_left: z.int(),
  credit_limit: count,
  unsent_bytes: count,
});
export type ConnectionView = z.output<typeof connectionView>;

export const podConnections = z.object({
  pod: z.string(),
  total: count,
  slow: count,
  by_state: z.record(connectionState, count),
});
export type PodConnections = z.output<typeof podConnections>;

export const connections = z.object({
  /** By connection id, over all pods. */
  connections: z.array(connectionView),
  next_cursor: nextCursor,
  by_pod: z.array(podConnections),
  /** Pods that did not answer in time. */
  pods_missing: z.array(z.string()),
});
export type Connections = z.output<typeof connections>;
