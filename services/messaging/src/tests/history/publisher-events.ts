import type { Stamped } from './history.ts';

/* What publishers append. See history.ts. */

/** One attempt; sending the same message again is another `post` with the same messageId. */
export interface PostEvent extends Stamped {
  readonly type: 'post';
  readonly post: string;
  readonly process: string;
  /** undefined: an operator's INSERT. */
  readonly pod: string | undefined;
  readonly conversationId: string;
  readonly messageId: string;
  readonly hash: string;
  readonly sender: string | undefined;
}
/** `seq` and `epoch` are left out by an operator who did not ask for them; `repeat`: `Idempotent-Replay: true`. */
export interface PostOkEvent extends Stamped {
  readonly type: 'post_ok';
  readonly post: string;
  readonly seq?: number | undefined;
  readonly epoch?: number | undefined;
  readonly repeat?: boolean | undefined;
}
export interface PostFailEvent extends Stamped {
  readonly type: 'post_fail';
  readonly post: string;
  readonly code: string;
}
export interface PostUnknownEvent extends Stamped {
  readonly type: 'post_unknown';
  readonly post: string;
  readonly code?: string | undefined;
}
/** The moment at which a message became visible to others; see `begin`. */
export interface CommitEvent extends Stamped {
  readonly type: 'commit';
  readonly conversationId: string;
  readonly seq: number;
  readonly messageId: string;
  readonly epoch: number;
}

export type PublisherEvent = PostEvent | PostOkEvent | PostFailEvent | PostUnknownEvent | CommitEvent;
