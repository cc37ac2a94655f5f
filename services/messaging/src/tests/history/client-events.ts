import type { CursorEntry } from '@sanctum/protocol';
import type { Stamped } from './history.ts';

/* What a client and its connections append. See history.ts. */

/** `client` is the device, the same over its connections. `operator`: it has the scope messaging:operate. */
export interface ConnectEvent extends Stamped {
  readonly type: 'connect';
  readonly connection: string;
  readonly client: string;
  readonly userId: string;
  readonly process: string;
  readonly pod: string;
  readonly operator?: boolean | undefined;
}
/** The cursors of `hello` and of all `cursors` frames behind it. */
export interface HelloEvent extends Stamped {
  readonly type: 'hello';
  readonly connection: string;
  readonly subscribe: 'all' | 'none';
  readonly epoch?: number | undefined;
  readonly cursors?: readonly CursorEntry[] | undefined;
  readonly withoutCursor?: 'head' | 'start' | undefined;
}
export interface ReadyEvent extends Stamped {
  readonly type: 'ready';
  readonly connection: string;
  readonly epoch: number;
  readonly credit: number;
}
/** Asked by the client, one event a conversation. */
export interface SubscribeEvent extends Stamped {
  readonly type: 'subscribe';
  readonly connection: string;
  readonly conversationId: string;
  readonly after: number | 'head' | 'start';
}
export interface UnsubscribeEvent extends Stamped {
  readonly type: 'unsubscribe';
  readonly connection: string;
  readonly conversationId: string;
}
/** One event a conversation. `own`: the answer to a `subscribe`. `code`: refused, and no `after`. */
export interface SubscribedEvent extends Stamped {
  readonly type: 'subscribed';
  readonly connection: string;
  readonly conversationId: string;
  readonly own: boolean;
  readonly after?: number | undefined;
  readonly code?: string | undefined;
}
/** What the client's rule made of a frame; left out: `deliver` of a message, `moved` of a gap. */
type RuleEffect = 'deliver' | 'deliver_late' | 'drop' | 'moved' | 'fault' | 'joined' | 'left';

export interface MessageEvent extends Stamped {
  readonly type: 'message';
  readonly connection: string;
  readonly conversationId: string;
  readonly seq: number;
  readonly messageId: string;
  readonly hash: string;
  readonly effect?: RuleEffect | undefined;
  /** Left out: 0. */
  readonly replay?: number | undefined;
}
export interface GapEvent extends Stamped {
  readonly type: 'gap';
  readonly connection: string;
  readonly conversationId: string;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
  readonly effect?: RuleEffect | undefined;
}
export interface MemberEvent extends Stamped {
  readonly type: 'member';
  readonly connection: string;
  readonly conversationId: string;
  readonly change: string;
  readonly seq: number;
  readonly head: number;
  readonly membersVersion: number;
  readonly effect?: RuleEffect | undefined;
}
/** `conversationId` may be `*`. */
export interface ResetEvent extends Stamped {
  readonly type: 'reset';
  readonly connection: string;
  readonly conversationId: string;
  readonly epoch: number;
  readonly reason: string;
}
export interface CaughtUpEvent extends Stamped {
  readonly type: 'caught_up';
  readonly connection: string;
}
/** Sent by the client. */
export interface AckEvent extends Stamped {
  readonly type: 'ack';
  readonly connection: string;
  readonly delivered: number;
}
/** The connection has ended, whoever ended it; 1006 where it was cut, or refused. */
export interface CloseEvent extends Stamped {
  readonly type: 'close';
  readonly connection: string;
  readonly code: number;
}
/** A message that `GET …/messages` brought; `epoch` is the page's. */
export interface ReadEvent extends Stamped {
  readonly type: 'read';
  readonly process: string;
  readonly userId: string;
  readonly conversationId: string;
  readonly seq: number;
  readonly messageId: string;
  readonly hash: string;
  readonly epoch: number;
}

export type ClientEvent =
  | ConnectEvent
  | HelloEvent
  | ReadyEvent
  | SubscribeEvent
  | UnsubscribeEvent
  | SubscribedEvent
  | MessageEvent
  | GapEvent
  | MemberEvent
  | ResetEvent
  | CaughtUpEvent
  | AckEvent
  | CloseEvent
  | ReadEvent;
