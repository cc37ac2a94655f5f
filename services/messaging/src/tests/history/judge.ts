import type { FinalState } from './final-state.ts';
import type { HistoryEventOf } from './history.ts';
import type { Conversation, Message, Reader } from './model.ts';
import type { Run } from './run.ts';

/** Each name is one judge, and one promise. */
export type CheckName =
  | 'loss'
  | 'settling'
  | 'silent_gap'
  | 'step_back'
  | 'above_cursor'
  | 'two_at_one_place'
  | 'one_at_two_places'
  | 'never_sent'
  | 'changed_bytes'
  | 'seen_before_commit'
  | 'post_order'
  | 'non_member'
  | 'after_removal'
  | 'gap_cause'
  | 'reset_cause'
  | 'replay_lost'
  | 'credit'
  | 'client_rule'
  | 'accepted_lost'
  | 'accepted_seq'
  | 'idempotency'
  | 'log_hole'
  | 'stream_order'
  | 'stream_loss'
  | 'undispatched'
  | 'outsider_post'
  | 'refused_member'
  | 'resumed_ahead'
  | 'closed_for_good';

export interface Violation {
  readonly check: CheckName;
  /** When, in the history's time; undefined for what the end shows. */
  readonly at: number | undefined;
  readonly conversationId?: string | undefined;
  readonly connection?: string | undefined;
  readonly text: string;
}

/** Somebody met a message at a place: in a frame, a page, the stream, at its commit, or in the final log. */
export interface Claim {
  /** undefined: in the final log. */
  readonly at: number | undefined;
  readonly conversation: Conversation;
  readonly epoch: number;
  readonly seq: number;
  readonly message: Message;
  /** Who was met there before. */
  readonly holder: Message | undefined;
  /** Where the message was met before, in this epoch. */
  readonly before: number | undefined;
}

/** A message frame, a page's item or an entry of the stream, with its message's record. */
export interface Sight {
  readonly at: number;
  readonly message: Message;
  readonly hash: string;
  readonly seq: number;
  readonly by: string;
}

/**
 * What a judge looks at, each called before the event changes the run. `reader` is the connection's place before
 * it. Each is O(1); `finish` may look at everything once.
 */
export interface Hooks {
  hello?(event: HistoryEventOf<'hello'>): void;
  message?(event: HistoryEventOf<'message'>, reader: Reader, message: Message): void;
  gap?(event: HistoryEventOf<'gap'>, reader: Reader): void;
  member?(event: HistoryEventOf<'member'>, reader: Reader): void;
  reset?(event: HistoryEventOf<'reset'>): void;
  subscribed?(event: HistoryEventOf<'subscribed'>, reader: Reader): void;
  close?(event: HistoryEventOf<'close'>): void;
  post?(event: HistoryEventOf<'post'>, message: Message): void;
  post_ok?(event: HistoryEventOf<'post_ok'>, message: Message): void;
  post_fail?(event: HistoryEventOf<'post_fail'>, message: Message): void;
  read?(event: HistoryEventOf<'read'>, message: Message): void;
  entry?(event: HistoryEventOf<'entry'>, message: Message): void;
  operation?(event: HistoryEventOf<'operation'>): void;
  /** Of every message, page's item and entry. */
  sight?(sight: Sight): void;
  claim?(claim: Claim): void;
  /** `ended`: the history has its `end`. */
  finish?(final: FinalState, ended: boolean): void;
}

export type Report = (violation: Omit<Violation, 'check'>) => void;

export interface Judge {
  readonly check: CheckName;
  /** What it looks at, with a memory of its own. */
  readonly begin: (run: Run, report: Report, options: CheckOptions) => Hooks;
}

export interface CheckOptions {
  /** How long after the last fault, and the last message, everybody may take to be at the head. */
  readonly settleWithinMs: number;
  /** How long after its command a replay may take. */
  readonly replayWithinMs: number;
}
