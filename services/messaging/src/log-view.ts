import type { GapReason } from '@sanctum/protocol';
import type { LogMessage, LogPage } from './ports.ts';

/** Places that no message will fill, inclusive. */
export interface LogGap {
  readonly kind: 'gap';
  readonly from: number;
  readonly to: number;
  readonly reason: GapReason;
}

export type LogItem = { readonly kind: 'message'; readonly message: LogMessage } | LogGap;

/**
 * Why a view ends at `next`:
 * - `head`: that is the page's head, there is nothing more now;
 * - `page`: the page ended there for its limits, read on behind it;
 * - `retrying`: the row behind it has failed and is being retried, wait at it;
 * - `suspect`: the log does not hold the row behind it. Read once more after `next` and view that page with
 *   `confirmed`: what is missing then too is announced.
 */
export type ViewStop = 'head' | 'page' | 'retrying' | 'suspect';

export interface PageView {
  /** In order and without a hole from `after` + 1 up to and including `next`. */
  readonly items: readonly LogItem[];
  /** The reader's cursor once it has the items. */
  readonly next: number;
  readonly stop: ViewStop;
  /** How many places are announced as `missing`: each a fault, to be counted. */
  readonly missing: number;
}

export interface ViewOptions {
  /** The reader has everything up to and including this. The page was read after it, or below. */
  readonly after: number;
  /** The reader's joined_seq: what lies below is not theirs. 1 for an operator, or for a shared page. */
  readonly joinedSeq: number;
  /** This page is the second look at a missing row. */
  readonly confirmed: boolean;
  /** Messages at or below the floor that an operator has had sent again, ascending: they are still there. */
  readonly survivors?: readonly LogMessage[];
}

/**
 * What a reader is told of a page of the log: the same for history, catch-up and live repair, so that two
 * devices never differ. From below upwards: what lies before the reader's time (`not_member`), what has expired
 * (`retention`), then the rows, where a dead one is a `dead_letter` gap and a row being retried ends the view.
 * Nothing is said about places behind the last row of an incomplete page. Pure.
 */
export function viewPage(page: LogPage, options: ViewOptions): PageView {
  const view = new Builder(options.after);
  view.gapTo(Math.min(options.joinedSeq - 1, page.head), 'not_member');
  const floor = Math.min(page.floor, page.head);
  for (const message of options.survivors ?? []) {
    if (message.seq <= view.next || message.seq > floor) continue;
    view.gapTo(message.seq - 1, 'retention');
    view.message(message);
  }
  view.gapTo(floor, 'retention');

  for (const row of page.rows) {
    if (row.seq <= view.next) continue;
    if (row.seq > view.next + 1) {
      if (!options.confirmed) return view.end('suspect');
      view.gapTo(row.seq - 1, 'missing');
    }
    if (row.state === 'retrying') return view.end('retrying');
    if (row.state === 'dead') view.gapTo(row.seq, 'dead_letter');
    else view.message(row.message);
  }

  if (view.next >= page.head) return view.end('head');
  if (!page.complete) return view.end('page');
  if (!options.confirmed) return view.end('suspect');
  view.gapTo(page.head, 'missing');
  return view.end('head');
}

class Builder {
  next: number;
  #missing = 0;
  readonly #items: LogItem[] = [];

  constructor(after: number) {
    this.next = after;
  }

  message(message: LogMessage): void {
    this.#items.push({ kind: 'message', message });
    this.next = message.seq;
  }

  /** Announces everything up to and including `to`; neighbours of one reason become one gap. */
  gapTo(to: number, reason: GapReason): void {
    if (to <= this.next) return;
    if (reason === 'missing') this.#missing += to - this.next;
    const last = this.#items.at(-1);
    if (last?.kind === 'gap' && last.reason === reason) {
      this.#items[this.#items.length - 1] = { ...last, to };
    } else {
      this.#items.push({ kind: 'gap', from: this.next + 1, to, reason });
    }
    this.next = to;
  }

  end(stop: ViewStop): PageView {
    return { items: this.#items, next: this.next, stop, missing: this.#missing };
  }
}
