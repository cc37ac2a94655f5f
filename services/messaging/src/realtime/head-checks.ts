import type { Clock } from '../clock.ts';
import { jittered } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ReaderLog } from '../ports.ts';
import type { Epochs } from './epochs.ts';
import type { Feed } from './feed.ts';
import type { Feeds } from './feeds.ts';

const SECOND = 1000;
/** The most recently active conversations: the delivery path while Redis is down, so within 2 s with the grace. */
const RECENT_EVERY_MS = 1.4 * SECOND;
/** A turn of the round robin; every conversation is checked within 30 s. */
const ROUND_EVERY_MS = SECOND;
const ROUND_TURNS = 25;
/** Heads in one query: 10,000 of 2 million took 60 ms. */
const PIECE = 2000;

/**
 * Compares heads with the log. A message that is lost in an idle conversation, with no connection dropped, reveals
 * itself by nothing, so every local conversation is looked at; activity decides how soon, never whether.
 */
export class HeadChecks {
  readonly #feeds: Feeds;
  readonly #reader: ReaderLog;
  readonly #epochs: Epochs;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onRewound: () => void;
  #failing = false;
  #checkingAll = false;

  constructor(options: {
    feeds: Feeds;
    reader: ReaderLog;
    epochs: Epochs;
    clock: Clock;
    log: Log;
    onRewound: () => void;
  }) {
    this.#feeds = options.feeds;
    this.#reader = options.reader;
    this.#epochs = options.epochs;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onRewound = options.onRewound;
  }

  /** Two loops, until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const recent = async () => {
      while (!signal.aborted) {
        await this.#clock.sleep(RECENT_EVERY_MS, signal);
        await this.check([...this.#feeds.recent()]);
      }
    };
    const round = async () => {
      while (!signal.aborted) {
        await this.#clock.sleep(ROUND_EVERY_MS, signal);
        await this.check(this.#feeds.takeTurn(Math.ceil(this.#feeds.size / ROUND_TURNS)));
      }
    };
    await Promise.all([recent(), round()]);
  }

  /** All of them, spread over `withinMs`: after the bus was lost. */
  async checkAll(withinMs: number): Promise<void> {
    if (this.#checkingAll) return;
    this.#checkingAll = true;
    const feeds = [...this.#feeds.all()];
    const pieces = Math.ceil(feeds.length / PIECE);
    for (let piece = 0; piece < pieces; piece++) {
      await this.#clock.sleep(jittered(this.#clock, withinMs / pieces));
      await this.check(feeds.slice(piece * PIECE, (piece + 1) * PIECE));
    }
    this.#checkingAll = false;
  }

  /** Never rejects: what could not be checked now is checked in the next round. */
  async check(feeds: readonly Feed[]): Promise<void> {
    for (let start = 0; start < feeds.length; start += PIECE) {
      const piece = feeds.slice(start, start + PIECE).filter((feed) => feed.open);
      if (piece.length === 0) continue;
      try {
        await this.#checkPiece(piece);
        this.#failing = false;
      } catch (error) {
        if (!this.#failing) this.#log.warn('head_check_failed', { reason: reasonOf(error) });
        this.#failing = true;
      }
    }
  }

  async #checkPiece(feeds: readonly Feed[]): Promise<void> {
    // What was known when the query was sent: compared later, one live message would look like a restore.
    const tips = feeds.map((feed) => feed.tip);
    const { epoch, heads } = await this.#reader.readHeads(feeds.map((feed) => feed.conversationId));
    this.#epochs.observe(epoch);
    for (const [index, feed] of feeds.entries()) {
      // Dropped meanwhile, perhaps because another answer told of a restore: those who came since must not go again.
      if (this.#feeds.get(feed.conversationId) !== feed) continue;
      const head = heads.get(feed.conversationId)?.head ?? 0;
      if (head < tips[index]!) {
        this.#log.error('log_rewound', { conversation_id: feed.conversationId, head, tip: tips[index] });
        return this.#onRewound();
      }
      this.#feeds.headSeen(feed, head);
    }
  }
}
