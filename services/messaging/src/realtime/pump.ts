import { CONVERSATION_TURN_FRAMES, SOCKET_BUFFER_MAX_BYTES } from '@sanctum/protocol';
import type { FeedItem } from './shared-frame.ts';
import type { Position } from './position.ts';
import type { Session } from './session.ts';
import { Turns } from './turns.ts';

/** Conversations of one session that have a page of the log at hand, or under way, at the same time. */
const READING_MAX = 16;

/**
 * Sends what a session is due: one loop for live messages, catching up and resuming alike. Whenever a position's
 * cursor is below its feed's tip, the next item is taken from the ring, or from a page of the log; there is no
 * switch from history to live that could go wrong. Conversations take turns; a position that must wait (for a page,
 * for a membership check) leaves the queue and comes back when it is marked due again. Of many that are behind, some
 * read from the log at a time: no more than the client may be sent, and what comes live waits for none of them.
 */
export class Pump {
  readonly #session: Session;
  #due: Position[] = [];
  #head = 0;
  /** Made for the first that reads. */
  #reading: Turns<Position> | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  add(position: Position): void {
    if (position.queued) return;
    position.queued = true;
    this.#due.push(position);
  }

  get idle(): boolean {
    return this.#head >= this.#due.length;
  }

  /** Nothing is read for this one now, and what was read is not kept. */
  endReading(position: Position): void {
    position.page = undefined;
    this.#reading?.leave(position);
  }

  /** They are read again when the client goes on: ten thousand slow clients must not hold their pages. */
  releasePages(): void {
    for (const position of this.#reading?.inside ?? []) if (!position.reading) this.endReading(position);
  }

  /** Runs until nothing is due or nothing more may be sent. */
  run(): void {
    const session = this.#session;
    while (!this.idle && session.maySend()) {
      const position = this.#due[this.#head++]!;
      position.queued = false;
      if (session.has(position) && this.#turn(position)) this.add(position);
      if (this.#head > 1024 && this.#head * 2 > this.#due.length) this.#compact();
    }
    if (this.idle) this.#compact();
  }

  #compact(): void {
    this.#due = this.#due.slice(this.#head);
    this.#head = 0;
  }

  /** One conversation's turn; true when it is due again. */
  #turn(position: Position): boolean {
    const session = this.#session;
    const { feed } = position;
    for (let sent = 0; sent < CONVERSATION_TURN_FRAMES; sent++) {
      if (!session.maySend()) return true;
      if (position.cursor < position.joinedSeq - 1) {
        session.sendGap(position, position.joinedSeq - 1, 'not_member');
        continue;
      }
      if (!feed.open) return false;
      if (position.cursor >= feed.tip) {
        if (position.replayDue) this.#read(position, () => session.hub.sendReplays(position));
        else if (!position.reading) this.endReading(position);
        return false;
      }
      const item = position.next();
      if (item === undefined) {
        this.#read(position, () => session.hub.feeds.readFor(position));
        return false;
      }
      if (item.membersVersion > position.verified) {
        session.hub.verifyMembers(feed);
        return false;
      }
      send(session, position, item);
    }
    return true;
  }

  /** Now, or when it is its turn. */
  #read(position: Position, read: () => void): void {
    if (position.reading) return;
    this.#reading ??= new Turns(Math.min(READING_MAX, this.#session.out.credit.limit), (next) =>
      this.#session.due(next),
    );
    if (this.#reading.take(position)) read();
    else position.page = undefined;
  }
}

function send(session: Session, position: Position, item: FeedItem): void {
  if (item.kind === 'gap') session.sendGap(position, item.to, item.reason);
  else session.sendMessage(position, item);
}

/** Room in the socket: what a slow client has not taken stays with the log, not in memory. */
export function hasRoom(unsentBytes: number): boolean {
  return unsentBytes < SOCKET_BUFFER_MAX_BYTES;
}
