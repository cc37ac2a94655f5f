import type { CursorEntry } from '@sanctum/protocol';
import type { Stamped } from './history.ts';

/* What owners, operators and observers of the stream append. See history.ts. */

export type CallPhase = 'invoke' | 'ok' | 'fail' | 'unknown';

/**
 * A change of membership. `create` and `add` and `remove` name conversation, users and the one who asks at
 * `invoke`; later phases name the change alone. `joinedSeq`: what the answer to an `add` said.
 */
export interface MembershipEvent extends Stamped {
  readonly type: 'membership';
  readonly phase: CallPhase;
  readonly change: string;
  readonly kind?: 'create' | 'add' | 'remove' | undefined;
  readonly conversationId?: string | undefined;
  readonly userIds?: readonly string[] | undefined;
  readonly by?: string | undefined;
  readonly joinedSeq?: number | undefined;
}

/** From and to, both included. */
export type PlaceRange = readonly [conversationId: string, from: number, to: number];

/**
 * What an operator does:
 * - `replay`, `requeue`: have `places` sent again (sent ones, dead ones). Those named at `invoke` are
 *   waited for; those that only `ok` can name are known as sent again, no more;
 * - `mark_dead`, `delete_row`: what happens to `places` by hand;
 * - `prune`: drops what has expired;
 * - `epoch`: the epoch is `epoch` from `ok` on. After a restore `heads` holds what the log was set back to, every
 *   conversation that exists with its last_seq; without `heads` nothing was set back. Both stand at `ok`, which
 *   comes before the first pod is started again.
 */
export interface OperationEvent extends Stamped {
  readonly type: 'operation';
  readonly phase: CallPhase;
  readonly operation: string;
  readonly kind: 'replay' | 'requeue' | 'mark_dead' | 'delete_row' | 'prune' | 'epoch';
  readonly places?: readonly PlaceRange[] | undefined;
  readonly epoch?: number | undefined;
  readonly heads?: readonly CursorEntry[] | undefined;
}

/**
 * An entry that a second group read from the stream, in the order of the stream. Its order is judged; with
 * `observe` at the start, and nothing of the stream lost by the run's own hand, its completeness too.
 */
export interface EntryEvent extends Stamped {
  readonly type: 'entry';
  readonly conversationId: string;
  readonly seq: number;
  readonly messageId: string;
  readonly hash: string;
  readonly epoch: number;
  readonly replay: number;
  readonly resent: number;
}
/** From here on every entry of the stream is appended. */
export interface ObserveEvent extends Stamped {
  readonly type: 'observe';
}

export type OperatorEvent = MembershipEvent | OperationEvent | EntryEvent | ObserveEvent;
