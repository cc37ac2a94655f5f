import type { ErrorCode } from './errors.ts';

/**
 * Every frame of the subprotocol as it stands on the wire: one JSON text each, told apart by `type`.
 * Server frames are open: a client takes unknown types, fields, codes and reasons without failing.
 */

/** Names a request; comes back in its answer. 1–64 characters, or an integer from 0. */
export type RequestId = string | number;

/** A conversation and the last `seq` of it that the client has, with everything before it. */
export type CursorEntry = [conversationId: string, seq: number];

export interface HelloFrame {
  type: 'hello';
  token?: string | undefined;
  device_id?: string | undefined;
  features?: string[] | undefined;
  subscribe?: 'all' | 'none' | undefined;
  /** The epoch that `cursors` belong to; required with them. */
  epoch?: number | undefined;
  cursors?: CursorEntry[] | undefined;
  /** `cursors` frames follow. */
  more?: boolean | undefined;
  /** Where a conversation without a cursor begins. */
  without_cursor?: 'head' | 'start' | undefined;
  credit?: number | undefined;
}

export interface CursorsFrame {
  type: 'cursors';
  cursors: CursorEntry[];
  more?: boolean | undefined;
}

export interface SubscribeItem {
  conversation_id: string;
  /** Where to begin: after this `seq`, at the head (default), or at the first that the user may read. */
  after?: number | 'head' | 'start' | undefined;
}

export interface SubscribeFrame {
  type: 'subscribe';
  id: RequestId;
  conversations: SubscribeItem[];
}

export interface UnsubscribeFrame {
  type: 'unsubscribe';
  id: RequestId;
  conversations: string[];
}

export interface AckFrame {
  type: 'ack';
  /** How many message, gap, member and reset frames came on this connection, repeats included. */
  delivered: number;
}

export interface AuthFrame {
  type: 'auth';
  token: string;
}

export interface PingFrame {
  type: 'ping';
  id: RequestId;
}

export type ClientFrame =
  HelloFrame | CursorsFrame | SubscribeFrame | UnsubscribeFrame | AckFrame | AuthFrame | PingFrame;

export interface ReadyFrame {
  type: 'ready';
  connection_id: string;
  user_id: string;
  epoch: number;
  /** What both sides know. */
  features: string[];
  heartbeat_ms: number;
  credit: number;
  max_frame_bytes: number;
  payload_max_bytes: number;
  expires_at: string;
  server_time: string;
}

export type SubscribedItem =
  | { conversation_id: string; status: 'ok'; after: number; head: number; min: number }
  | { conversation_id: string; status: 'error'; code: ErrorCode };

export interface SubscribedFrame {
  type: 'subscribed';
  /** That of the `subscribe` it answers; without one it was not asked for. */
  id?: RequestId | undefined;
  conversations: SubscribedItem[];
}

export type UnsubscribedItem =
  { conversation_id: string; status: 'ok' } | { conversation_id: string; status: 'error'; code: ErrorCode };

export interface UnsubscribedFrame {
  type: 'unsubscribed';
  id?: RequestId | undefined;
  conversations: UnsubscribedItem[];
}

/** What a row's `payload` holds when it came by HTTP. An operator's row may hold any JSON at all. */
export interface MessagePayload {
  ciphertext: string;
  encryption?: { scheme: string; key_id?: string | undefined } | undefined;
  sender: string;
}

export interface MessageFrame {
  type: 'message';
  conversation_id: string;
  seq: number;
  message_id: string;
  event_type: string;
  occurred_at: string;
  members_version: number;
  /** How often an operator has sent it again; left out where never. */
  replay?: number | undefined;
  /** Usually a `MessagePayload`; whatever an operator's row holds otherwise. */
  payload: unknown;
}

export type GapReason = 'dead_letter' | 'retention' | 'not_member' | 'missing';

export interface GapFrame {
  type: 'gap';
  conversation_id: string;
  from: number;
  to: number;
  reason: GapReason;
}

export type ResetReason = 'epoch' | 'cursor_ahead';

export interface ResetFrame {
  type: 'reset';
  /** A conversation, or `*` for all of them. */
  conversation_id: string;
  epoch: number;
  head?: number | undefined;
  reason: ResetReason;
}

export interface CaughtUpFrame {
  type: 'caught_up';
}

export interface MemberFrame {
  type: 'member';
  conversation_id: string;
  change: 'added' | 'removed';
  user_id: string;
  seq: number;
  head: number;
  members_version: number;
}

export interface AuthenticatedFrame {
  type: 'authenticated';
  expires_at: string;
}

export interface PongFrame {
  type: 'pong';
  id: RequestId;
  server_time: string;
}

export interface HeartbeatFrame {
  type: 'heartbeat';
  server_time: string;
}

export interface GoawayFrame {
  type: 'goaway';
  reason: 'drain';
  reconnect_after_ms: number;
  deadline_ms: number;
}

export interface ErrorFrame {
  type: 'error';
  id?: RequestId | undefined;
  code: ErrorCode;
  retry_after_ms?: number | undefined;
}

export type ServerFrame =
  | ReadyFrame
  | SubscribedFrame
  | UnsubscribedFrame
  | MessageFrame
  | GapFrame
  | ResetFrame
  | CaughtUpFrame
  | MemberFrame
  | AuthenticatedFrame
  | PongFrame
  | HeartbeatFrame
  | GoawayFrame
  | ErrorFrame;

/** Server frames that cost credit, and that `ack.delivered` counts, repeats included. */
export const CREDITED_TYPES = ['message', 'gap', 'member', 'reset'] as const;

/** Whether a server frame of this type costs one of credit. */
export function costsCredit(type: string): boolean {
  return type === 'message' || type === 'gap' || type === 'member' || type === 'reset';
}
