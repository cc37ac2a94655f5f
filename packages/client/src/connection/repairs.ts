import type { ServerFrame } from '@sanctum/protocol';
import { KEEP, type CursorBook } from '../cursor-book.ts';
import type { Link } from './link.ts';

/** What the ids of repairs begin with. */
const PREFIX = `${KEEP}repair:`;

/** The rule for a server's fault, on one connection: subscribe again, and when that did not help, reconnect. */
export class Repairs {
  readonly #link: Link;
  readonly #book: CursorBook;
  readonly #states = new Map<string, 'asked' | 'answered'>();

  constructor(link: Link, book: CursorBook) {
    this.#link = link;
    this.#book = book;
  }

  /** A frame of this conversation broke the rules, or it is to go on from a `place` that this connection cannot know. */
  fault(conversationId: string, place?: number): void {
    const state = this.#states.get(conversationId);
    // What was under way when it was asked for again is still coming.
    if (state === 'asked') return;
    const after = this.#book.cursorOf(conversationId) ?? place;
    if (state || after === undefined) return this.#link.finish({ kind: 'fault' });
    this.#states.set(conversationId, 'asked');
    const conversations = [{ conversation_id: conversationId, after }];
    this.#link.send({ type: 'subscribe', id: PREFIX + this.#states.size, conversations });
  }

  take(frame: ServerFrame): void {
    if (!('id' in frame) || !String(frame.id).startsWith(PREFIX)) return;
    if (frame.type !== 'subscribed') return this.#link.finish({ kind: 'fault' });
    for (const { conversation_id: id, status } of frame.conversations) {
      // Refused where it should go on: nothing more of it would come here.
      if (status === 'error' && this.#book.cursorOf(id) !== undefined) this.#link.finish({ kind: 'fault' });
      this.#states.set(id, 'answered');
    }
  }
}
