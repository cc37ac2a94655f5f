import { encodeMessageFrame, formatTime } from '@sanctum/protocol';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { type LogItem, type PageView, viewPage } from '../log-view.ts';
import type {
  ConversationHead,
  LogMessage,
  LogPage,
  MembersAnswer,
  PageRequest,
  ReaderLog,
  ReplayPage,
  UserSnapshot,
} from '../ports.ts';
import { Batcher } from './batcher.ts';
import type { Page } from './position.ts';
import { type FeedItem, type MessageItem, SharedFrame } from './shared-frame.ts';

/** Rows and bytes of one conversation's page. */
const PAGE_ROWS = 256;
const PAGE_BYTES_MAX = 256 * 1024;
/** Rows of one read for a replay window. */
const REPLAY_ROWS = 64;
/** Conversations in one statement, and statements at a time: what a storm of resumes may ask of Postgres. */
const PAGES_BATCH = 32;
const LOOKUPS_BATCH = 500;
const USERS_BATCH = 100;
const IN_FLIGHT = 2;
/** A user that the log does not know how to answer in time: the hello is told to try later, a refresh comes again. */
const USER_BLAMED_MAX = 3;
/** Missing stretches that are remembered, so that each is counted once. */
const MISSING_KEPT_MAX = 10_000;

export interface EpochWatch {
  /** Every answer of the log names its epoch; a changed one ends everything that was built on the old. */
  observe(epoch: number): void;
}

/**
 * Everything the hub reads from the log, in batches shared by all sessions of the pod, each bounded and asked again
 * until it is answered. Head first, rows after, or both in one statement: never the other way round.
 */
export class Reads {
  readonly #pages: Batcher<PageRequest, LogPage | undefined>;
  readonly #replays: Batcher<{ conversationId: string; from: number; to: number }, ReplayPage>;
  readonly #heads: Batcher<string, ConversationHead | undefined>;
  readonly #users: Batcher<string, UserSnapshot>;
  readonly #members: Batcher<
    { conversationId: string; userIds: readonly string[] },
    MembersAnswer | undefined
  >;
  readonly #sharedPages = new Map<string, Promise<Page>>();
  readonly #onMissing: (count: number) => void;
  readonly #missing = new Set<string>();

  constructor(options: {
    log: Log;
    reader: ReaderLog;
    clock: Clock;
    epochs: EpochWatch;
    onMissing: (count: number) => void;
  }) {
    const { reader, epochs } = options;
    this.#onMissing = options.onMissing;
    const common = { clock: options.clock, log: options.log, inFlightMax: IN_FLIGHT };
    this.#pages = new Batcher({
      ...common,
      name: 'pages',
      batchMax: PAGES_BATCH,
      ask: async (requests) => {
        const pages = await reader.readPages(requests);
        for (const page of pages) if (page !== undefined) epochs.observe(page.epoch);
        return pages;
      },
    });
    this.#replays = new Batcher({
      ...common,
      name: 'replays',
      batchMax: PAGES_BATCH,
      ask: (windows) =>
        reader.readReplays(
          windows.map((window) => ({ ...window, limit: REPLAY_ROWS, maxBytes: PAGE_BYTES_MAX })),
        ),
    });
    this.#heads = new Batcher({
      ...common,
      name: 'heads',
      batchMax: LOOKUPS_BATCH,
      ask: async (conversationIds) => {
        const { epoch, heads } = await reader.readHeads(conversationIds);
        epochs.observe(epoch);
        return conversationIds.map((id) => heads.get(id));
      },
    });
    this.#users = new Batcher({
      ...common,
      name: 'users',
      batchMax: USERS_BATCH,
      blamedMax: USER_BLAMED_MAX,
      ask: async (userIds) => {
        const { epoch, users } = await reader.readUsers(userIds, { withLeft: true });
        epochs.observe(epoch);
        return users;
      },
    });
    this.#members = new Batcher({
      ...common,
      name: 'members',
      batchMax: LOOKUPS_BATCH,
      ask: (requests) => reader.readMembers(requests),
    });
  }

  head(conversationId: string): Promise<ConversationHead | undefined> {
    return this.#heads.ask(conversationId);
  }

  user(userId: string): Promise<UserSnapshot> {
    return this.#users.ask(userId);
  }

  members(conversationId: string, userIds: readonly string[]): Promise<MembersAnswer | undefined> {
    return this.#members.ask({ conversationId, userIds });
  }

  /** What follows `after`; whoever asks the same while it is being read shares the answer and its frames. */
  page(conversationId: string, after: number): Promise<Page> {
    const key = `${conversationId}:${after}`;
    let page = this.#sharedPages.get(key);
    if (page === undefined) {
      page = this.#readPage(conversationId, after).finally(() => this.#sharedPages.delete(key));
      this.#sharedPages.set(key, page);
    }
    return page;
  }

  async replays(window: { conversationId: string; from: number; to: number }) {
    const page = await this.#replays.ask(window);
    return { items: page.messages.map((message) => toItem(message)), complete: page.complete };
  }

  stop(): void {
    for (const batcher of [this.#pages, this.#replays, this.#heads, this.#users, this.#members])
      batcher.stop();
  }

  async #readPage(conversationId: string, after: number): Promise<Page> {
    const request = { conversationId, after, limit: PAGE_ROWS, maxBytes: PAGE_BYTES_MAX };
    // Membership is each reader's own affair: the page is shared.
    const options = { after, joinedSeq: 1 };
    const page = await this.#pages.ask(request);
    if (page === undefined) return { items: [], stopped: false };
    let view = viewPage(page, { ...options, confirmed: false });
    if (view.stop === 'suspect' && view.items.length === 0) {
      // A row that should be there is not: it is read once more before anybody is told that it is missing.
      const again = await this.#pages.ask(request);
      if (again === undefined) return { items: [], stopped: false };
      view = viewPage(again, { ...options, confirmed: true });
      this.#noteMissing(conversationId, view);
    }
    return {
      items: view.items.map((item) => toFeedItem(item, page.membersVersion)),
      stopped: view.stop === 'retrying',
    };
  }

  /** Each missing stretch is a fault of its own, however many readers come upon it. */
  #noteMissing(conversationId: string, view: PageView): void {
    for (const item of view.items) {
      if (item.kind !== 'gap' || item.reason !== 'missing') continue;
      const key = `${conversationId}:${item.from}`;
      if (this.#missing.has(key)) continue;
      if (this.#missing.size >= MISSING_KEPT_MAX) this.#missing.clear();
      this.#missing.add(key);
      this.#onMissing(item.to - item.from + 1);
    }
  }
}

function toFeedItem(item: LogItem, membersVersion: number): FeedItem {
  if (item.kind === 'message') return toItem(item.message);
  return { kind: 'gap', from: item.from, to: item.to, reason: item.reason, membersVersion };
}

function toItem(message: LogMessage): MessageItem {
  const json = encodeMessageFrame({
    conversationId: message.conversationId,
    seq: message.seq,
    messageId: message.messageId,
    eventType: message.eventType,
    occurredAt: formatTime(message.occurredAt),
    membersVersion: message.membersVersion,
    payloadJson: message.payload.reveal(),
    replay: message.replayNo,
  });
  return {
    kind: 'message',
    from: message.seq,
    to: message.seq,
    membersVersion: message.membersVersion,
    occurredAt: message.occurredAt,
    frame: new SharedFrame(Buffer.from(json)),
    live: false,
  };
}
