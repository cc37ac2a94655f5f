import type { ConnectEvent, HelloEvent } from './client-events.ts';
import type { OperationEvent } from './operator-events.ts';

/* What the checker knows of the run so far: what it holds of each message, conversation and connection. */

/** One message as its publishers named it, whether it came to be or not. */
export interface Message {
  readonly id: string;
  readonly conversation: Conversation;
  /** Contents posted under this id, first and others. One unless a publisher re-used the id. */
  hash: string | undefined;
  otherHashes: Set<string> | undefined;
  attempts: number;
  refused: number;
  refusedWith: string | undefined;
  firstPostedAt: number;
  committedAt: number | undefined;
  /** The first answer of each epoch, the latest epoch last. */
  answers: Answer[] | undefined;
  /** The newest epoch in which it was met, and its place there; 0: nowhere yet. */
  epoch: number;
  seq: number;
  /** Where somebody first met it. */
  seenAt: number | undefined;
  seenHash: string | undefined;
  /** The highest place known to be taken when it was first posted, and in which epoch. */
  taken: { readonly epoch: number; readonly seq: number } | undefined;
}

export interface Answer {
  readonly epoch: number;
  readonly seq: number;
  readonly hash: string;
}

export interface Post {
  readonly message: Message;
  readonly hash: string;
  readonly at: number;
  readonly sender: string | undefined;
}

export interface Conversation {
  readonly id: string;
  readonly messages: Map<string, Message>;
  /** Who is where, by epoch. */
  readonly books: Map<number, (Message | undefined)[]>;
  readonly members: Map<string, Member>;
  /** Every connection's place in it. */
  readonly readers: Set<Reader>;
  /** The highest place met so far, in the newest epoch met. */
  known: { epoch: number; seq: number };
  /** The last time at which anything could have been added to it. */
  lastPostAt: number;
}

/** A user of a conversation, with all that was asked about the membership. */
export interface Member {
  readonly userId: string;
  readonly adds: Change[];
  readonly removals: Change[];
  /** One add, answered, with nothing else ever asked: the lowest seq that is theirs. */
  plainJoinedSeq: number | undefined;
  /** A restore took the log back: what was asked before it may hold or not. */
  unsure: boolean;
  /** The highest place sent to this user, in the newest epoch. */
  sent: { epoch: number; seq: number };
}

export interface Change {
  readonly invokedAt: number;
  phase: 'invoke' | 'ok' | 'fail' | 'unknown';
  answeredAt: number;
  joinedSeq: number | undefined;
}

export interface Connection {
  readonly id: string;
  readonly connect: ConnectEvent;
  hello: HelloEvent | undefined;
  readyAt: number | undefined;
  epoch: number;
  credit: number;
  received: number;
  acknowledged: number;
  wasReset: boolean;
  closedAt: number | undefined;
  readonly readers: Map<string, Reader>;
}

/** A connection's place in a conversation, as the server's frames make it. */
export interface Reader {
  readonly connection: Connection;
  readonly conversation: Conversation;
  readonly member: Member | undefined;
  /** undefined: nobody has said where it begins. */
  cursor: number | undefined;
  movedAt: number;
  /** When its own `subscribe` was last answered. */
  seatedAt: number;
  /** `member removed` came, and nothing since that would let it in again. */
  removed: boolean;
  unsubscribed: boolean;
  /** The server broke a rule here: what the client made of it is the client's affair. */
  disturbed: boolean;
  /** What the last `subscribe` asked for, until it is answered. */
  asked: number | 'head' | 'start' | undefined;
}

export interface Operation {
  readonly kind: OperationEvent['kind'];
  readonly invokedAt: number;
  places: OperationEvent['places'];
  failed: boolean;
}

/** From when to when, both in monotonic time. */
export interface Span {
  readonly name: string;
  readonly from: number;
  to: number;
}
