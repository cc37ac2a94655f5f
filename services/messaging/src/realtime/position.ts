import type { Feed } from './feed.ts';
import type { Session } from './session.ts';
import { type FeedItem, itemAt } from './shared-frame.ts';

/** Items read from the log for one or many positions. */
export interface Page {
  readonly items: readonly FeedItem[];
  /** It ends at a row that is being retried: served to nobody, nor anything behind it. */
  readonly stopped: boolean;
}

/** `verified` of a position that is an operator's: no membership is asked for. */
export const OPERATORS = Infinity;

/** A session's place in one conversation. */
export class Position {
  readonly session: Session;
  readonly feed: Feed;
  /** The session has everything up to and including this seq, or was told of the gap. */
  cursor: number;
  /** The first seq that the reader may see. */
  joinedSeq: number;
  /** Membership was checked at this members_version of the conversation; `OPERATORS` for an operator's. */
  verified: number;
  /** The conversation's members_version made by the last change of this membership. */
  membershipVersion: number;
  /** The conversation's head when the reader came: what is above is new to it, and timed. */
  seatedAt = Infinity;
  /** Counts towards `caught_up` until the cursor is here. */
  catchUpTo: number | undefined;
  /** Stands in the session's queue of conversations with something due. */
  queued = false;
  /** A read for this position is under way. */
  reading = false;
  page: Page | undefined;
  /** Operator's replays that this reader is still due: inclusive; none while from > to. */
  replayFrom = 1;
  replayTo = 0;

  constructor(options: {
    session: Session;
    feed: Feed;
    cursor: number;
    joinedSeq: number;
    verified: number;
    membershipVersion: number;
  }) {
    this.session = options.session;
    this.feed = options.feed;
    this.cursor = options.cursor;
    this.joinedSeq = options.joinedSeq;
    this.verified = options.verified;
    this.membershipVersion = options.membershipVersion;
  }

  get isOperators(): boolean {
    return this.verified === OPERATORS;
  }

  /** The next item from what is at hand. */
  next(): FeedItem | undefined {
    const seq = this.cursor + 1;
    const recent = this.feed.recent(seq);
    if (recent !== undefined) return recent;
    return this.page === undefined ? undefined : itemAt(this.page.items, seq);
  }

  /** Widens the replay window by `seq`, unless it is nothing that this reader has had. */
  offerReplay(seq: number): boolean {
    if (seq > this.cursor || seq < this.joinedSeq) return false;
    if (this.replayFrom > this.replayTo) {
      this.replayFrom = this.replayTo = seq;
    } else {
      this.replayFrom = Math.min(this.replayFrom, seq);
      this.replayTo = Math.max(this.replayTo, seq);
    }
    return true;
  }

  get replayDue(): boolean {
    return this.replayFrom <= this.replayTo;
  }

  dropReplays(): void {
    this.replayFrom = 1;
    this.replayTo = 0;
  }
}
