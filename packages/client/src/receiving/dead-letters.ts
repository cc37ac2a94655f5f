import type { MessageFrame } from '@sanctum/protocol';
import type { Clock, Timer } from '../clock.ts';
import type { CursorBook } from '../cursor-book.ts';
import type { SeqRange } from '../cursor-rule.ts';
import type { Http } from '../http.ts';
import { readPage } from './history.ts';
import type { RangeAges } from './range-ages.ts';

const HOUR_MS = 3_600_000;
/** The service keeps dead letters so long, unless configured otherwise; after that nothing comes any more. */
export const DEAD_LETTER_DAYS = 30;
/** Pages that are read of one range in one round. */
const PAGES_MAX = 20;

export interface DeadLettersOptions {
  readonly book: CursorBook;
  readonly ages: RangeAges;
  readonly http: Http;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onMessage: (frame: MessageFrame) => void;
  /** How many frames wait for the application beyond what fits: meanwhile the rest is left to the next round. */
  readonly surplus: () => number;
  /** The ranges of a conversation changed otherwise. */
  readonly onForgotten: (conversationId: string) => void;
}

/**
 * Asks for messages that were announced as dead: an operator may have requeued them while this client was away, or
 * while the hint of it got lost. After each `caught_up`, and every hour while any is open.
 */
export class DeadLetters {
  readonly #options: DeadLettersOptions;
  #timer: Timer | undefined;
  #isAsking = false;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#timer?.cancel());
  }

  /** Asks for all open ranges, one conversation after another. Never rejects: the next round asks again. */
  async ask(): Promise<void> {
    const { book, clock, signal } = this.#options;
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#forgetOld();
    for (const { conversationId, ranges } of book.openRanges()) {
      if (signal.aborted) break;
      await this.#askFor(conversationId, ranges).catch(() => undefined);
    }
    this.#isAsking = false;
    this.#timer?.cancel();
    if (book.openRanges().length > 0 && !signal.aborted) {
      this.#timer = clock.setTimer(HOUR_MS, () => void this.ask());
    }
  }

  async #askFor(conversationId: string, ranges: readonly SeqRange[]): Promise<void> {
    const { book, http, surplus, onMessage } = this.#options;
    for (const [from, to] of ranges) {
      let pages = 0;
      let after = from - 1;
      while (after < to && pages++ < PAGES_MAX && surplus() === 0) {
        const page = await readPage(http, conversationId, { after, limit: to - after });
        // A reset came meanwhile, or is about to: these places name other messages.
        if (page.epoch !== book.epoch) return;
        for (const frame of page.messages) if (isOpen(book, frame)) onMessage(frame);
        // A row in there is being retried: the next round asks again.
        if (page.next_after <= after) break;
        after = page.next_after;
      }
    }
  }

  #forgetOld(): void {
    const { book, ages, clock, onForgotten } = this.#options;
    const beforeMs = clock.now() - DEAD_LETTER_DAYS * 24 * HOUR_MS;
    for (const { conversationId } of book.openRanges()) {
      const upTo = ages.olderThan(conversationId, beforeMs);
      if (upTo !== undefined && book.closeRanges(conversationId, upTo)) onForgotten(conversationId);
    }
  }
}

function isOpen(book: CursorBook, { conversation_id, seq }: MessageFrame): boolean {
  return book.stateOf(conversation_id).openRanges.some(([from, to]) => from <= seq && seq <= to);
}
