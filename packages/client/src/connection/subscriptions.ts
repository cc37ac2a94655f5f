import { SUBSCRIBE_MAX, type ErrorCode, type ServerFrame, type SubscribedItem } from '@sanctum/protocol';
import { fullJitterMs } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import { KEEP, type CursorBook } from '../cursor-book.ts';
import { SanctumError } from '../sanctum-error.ts';
import type { Link } from './link.ts';

/** Where a conversation begins: behind a `seq`, at its head, or at the first message that the user may read. */
export type Place = number | 'head' | 'start';

/** Where delivery of a conversation began. */
export interface Subscribed {
  readonly after: number;
  readonly head: number;
  /** The lowest `seq` that the user may read. */
  readonly min: number;
}

interface Wanted {
  /** Where the application wants it to begin; used up by the first answer. */
  place: Place | undefined;
  /** There was a cursor: where it is lost, nothing else may be. */
  hadCursor?: boolean;
  /** The id of the request that asked for it last: an answer to an earlier one is out of date. */
  request?: string;
  readonly waiting: { resolve: (place: Subscribed) => void; reject: (error: SanctumError) => void }[];
}

const BACKOFF = { baseMs: 500, capMs: 10_000 };
/** Codes of an `error` frame that the same request may get past later. */
const BUSY: ReadonlySet<string> = new Set(['rate_limited', 'overloaded', 'unavailable', 'internal']);

export interface SubscriptionsOptions {
  readonly book: CursorBook;
  readonly mode: 'all' | 'none';
  readonly clock: Clock;
  /** The server says that a cursor means nothing. */
  readonly voidCursor: (conversationId: string) => void;
}

/**
 * What the application subscribed to by hand. With `subscribe: "all"` one is done once it is answered: the cursors
 * of `hello` go on with it. With `"none"` each connection has to ask for all of them again.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #wanted = new Map<string, Wanted>();
  #link: Link | undefined;
  #requests = 0;
  #failures = 0;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** @throws SanctumError with the server's code, as `conversation_not_found` or `cursor_ahead` */
  subscribe(conversationId: string, place: Place | undefined): Promise<Subscribed> {
    const wanted = this.#wanted.get(conversationId) ?? { place, waiting: [] };
    // Who names no place must not undo another's.
    wanted.place = place ?? wanted.place;
    this.#wanted.set(conversationId, wanted);
    const answer = new Promise<Subscribed>((resolve, reject) => wanted.waiting.push({ resolve, reject }));
    this.#ask([conversationId]);
    return answer;
  }

  /** A connection is ready: what is wanted is asked for on it. */
  begin(link: Link): void {
    this.#link = link;
    this.#ask([...this.#wanted.keys()]);
  }

  take(frame: ServerFrame): void {
    if ((frame.type !== 'subscribed' && frame.type !== 'error') || frame.id === undefined) return;
    const isAsked = (id: string): boolean => this.#wanted.get(id)?.request === frame.id;
    if (frame.type === 'subscribed') {
      this.#failures = 0;
      for (const item of frame.conversations) {
        if (isAsked(item.conversation_id)) {
          this.#answer(item.conversation_id, item.status === 'ok' ? item : item.code);
        }
      }
      return;
    }
    const asked = [...this.#wanted.keys()].filter(isAsked);
    if (BUSY.has(frame.code)) this.#askLater(asked, frame.retry_after_ms);
    else for (const id of asked) this.#answer(id, frame.code);
  }

  /** All cursors are about to be void. */
  beforeReset(): void {
    for (const [id, wanted] of this.#wanted)
      wanted.hadCursor ||= this.#options.book.cursorOf(id) !== undefined;
  }

  /** Nothing will be answered any more. */
  end(error: SanctumError): void {
    for (const { waiting } of this.#wanted.values()) {
      for (const { reject } of waiting) reject(error);
    }
    this.#wanted.clear();
  }

  /** In two kinds of requests: where the application named the place the cursor moves there, elsewhere it stays. */
  #ask(conversationIds: readonly string[]): void {
    const wanted = conversationIds.filter((id) => this.#wanted.has(id));
    const isPlaced = (id: string): boolean => this.#wanted.get(id)?.place !== undefined;
    this.#request('place:', wanted.filter(isPlaced));
    this.#request(
      KEEP,
      wanted.filter((id) => !isPlaced(id)),
    );
  }

  #request(prefix: string, conversationIds: readonly string[]): void {
    const link = this.#link;
    if (link === undefined || link.isOver) return;
    for (let at = 0; at < conversationIds.length; at += SUBSCRIBE_MAX) {
      const request = prefix + ++this.#requests;
      const conversations = conversationIds.slice(at, at + SUBSCRIBE_MAX).map((id) => {
        const wanted = this.#wanted.get(id) as Wanted;
        wanted.request = request;
        return { conversation_id: id, after: this.#placeOf(id, wanted) };
      });
      link.send({ type: 'subscribe', id: request, conversations });
    }
  }

  #placeOf(conversationId: string, { place, hadCursor }: Wanted): Place {
    return place ?? this.#options.book.cursorOf(conversationId) ?? (hadCursor ? 'start' : 'head');
  }

  #askLater(conversationIds: readonly string[], floorMs: number | undefined): void {
    const link = this.#link;
    const delayMs = fullJitterMs(this.#options.clock, { ...BACKOFF, failures: this.#failures++, floorMs });
    const timer = this.#options.clock.setTimer(delayMs, () => {
      if (this.#link === link) this.#ask(conversationIds);
    });
    void link?.ended.then(() => timer.cancel());
  }

  #answer(conversationId: string, answer: (SubscribedItem & { status: 'ok' }) | ErrorCode): void {
    const wanted = this.#wanted.get(conversationId);
    if (wanted === undefined) return;
    if (answer === 'cursor_ahead' && wanted.place === undefined) {
      // Not the application's place but the cursor.
      wanted.hadCursor = true;
      this.#options.voidCursor(conversationId);
      return this.#ask([conversationId]);
    }
    wanted.place = undefined;
    const isRefused = typeof answer === 'string';
    for (const { resolve, reject } of wanted.waiting.splice(0)) {
      if (isRefused) reject(new SanctumError(answer, `not followed: ${answer}`));
      else resolve({ after: answer.after, head: answer.head, min: answer.min });
    }
    // Where only the place was refused, it is followed as before.
    const isOver = isRefused && this.#options.book.cursorOf(conversationId) === undefined;
    if (isOver || this.#options.mode === 'all') this.#wanted.delete(conversationId);
  }
}
