import type { ServerFrame } from '@sanctum/protocol';
import { fullJitterMs } from '../backoff.ts';
import { sleep, within, type Clock } from '../clock.ts';
import type { CursorBook, Effect } from '../cursor-book.ts';
import type { Listeners } from '../listeners.ts';
import { sanctumError } from '../sanctum-error.ts';
import type { Storage, StorageTransaction } from '../storage/storage.ts';
import type { ReceivedMessage } from './events.ts';
import type { RangeAges } from './range-ages.ts';
import type { MessageOpener, OpenedMessage } from './message-opener.ts';
import { placeWriter, storeEpoch, storeStarted } from './stored-cursors.ts';

/** Items that may wait before acks are held back, so that the server stops sending. */
const ITEMS_MAX = 1024;
/** How long the end waits for a listener that is at work. One that waits for the end itself would wait for ever. */
const CLOSE_GRACE_MS = 1000;
/** Between two tries of what a listener or the storage failed at. */
const BACKOFF = { baseMs: 100, capMs: 10_000 };

/** Ends a transaction that nobody took the message in; a sign, and no error of anybody's. */
const NO_TAKER = new Error('no listener');

/** What one frame asks for, in the order of the frames. */
interface Item<Tx> {
  readonly effects: readonly Effect[];
  /** Written in the same transaction as what the listeners write. */
  readonly writes: readonly ((tx: StorageTransaction) => void | Promise<void>)[];
  /** Called once it is stored. */
  readonly done: (() => void) | undefined;
  /** Set once its message was opened and a reader has taken it, so that a second try does neither again. */
  opened?: OpenedMessage<Tx> | undefined;
  wasRead?: boolean;
}

/** Somebody who takes messages one by one. Resolves with true once this one is taken, with false when they left. */
export type Reader = (message: ReceivedMessage) => Promise<boolean>;

export interface InboxOptions<Tx extends StorageTransaction> {
  readonly book: CursorBook;
  readonly storage: Storage<Tx>;
  readonly listeners: Listeners<Tx>;
  readonly opener: MessageOpener<Tx>;
  readonly ages: RangeAges;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** A message of this user's came: whatever of it waits to be sent is settled. */
  readonly settle: (message: ReceivedMessage, tx: Tx) => Promise<(() => void) | undefined>;
  /** Too much waits, though less than before. */
  readonly onRoom: () => void;
}

/**
 * From frames to the application. The cursor rule is applied to each frame as it comes; what it says is queued, and
 * handed over one by one: listeners first, then their writes and the new cursor are stored in one transaction, then
 * the next. So the stored cursor never runs ahead of the application, whenever the process ends; and a connection
 * that follows another one goes on behind what is queued here, not behind what is stored.
 */
export class Inbox<Tx extends StorageTransaction> {
  readonly #options: InboxOptions<Tx>;
  readonly #items: Item<Tx>[] = [];
  readonly #readers = new Set<Reader>();
  #pumping: Promise<void> | undefined;
  #epoch: number | undefined;
  #whenTaker: () => void = () => undefined;

  constructor(options: InboxOptions<Tx>) {
    this.#options = options;
    this.#epoch = options.book.epoch;
  }

  /** How many items wait beyond what shall: for so many the server gets no ack. */
  surplus(): number {
    return Math.max(0, this.#items.length - ITEMS_MAX);
  }

  /**
   * Applies the cursor rule to a frame, and queues what is to be done.
   * @param done called once all of it is stored
   * @returns what the rule said
   */
  take(frame: ServerFrame, done?: () => void): readonly Effect[] {
    const { book, ages, clock } = this.#options;
    const effects = book.apply(frame);
    for (const effect of effects) {
      if (effect.kind === 'moved' && effect.frame.reason === 'dead_letter') {
        ages.note(effect.conversationId, effect.frame.to, clock.now());
      }
    }
    const writes = effects
      .filter(({ kind }) => kind !== 'drop' && kind !== 'fault')
      .map(({ conversationId }) => placeWriter(book, ages, conversationId));
    const { epoch } = book;
    if (epoch !== undefined && epoch !== this.#epoch) {
      this.#epoch = epoch;
      writes.push((tx) => storeEpoch(tx, epoch));
    }
    if (frame.type === 'caught_up') writes.push(storeStarted);
    if (writes.length > 0) this.#queue({ effects, writes, done });
    return effects;
  }

  /** Queues the storing of a conversation's place, which changed otherwise than by a frame. */
  storePlace(conversationId: string): void {
    const { book, ages } = this.#options;
    this.#queue({ effects: [], writes: [placeWriter(book, ages, conversationId)], done: undefined });
  }

  /** After `signal` was aborted: resolves once nothing is being handed over or stored, or has been for too long. */
  async idle(): Promise<void> {
    const bounds = { clock: this.#options.clock, limitMs: CLOSE_GRACE_MS };
    await within(Promise.resolve(this.#pumping), bounds).catch(() => undefined);
  }

  addReader(reader: Reader): void {
    this.#readers.add(reader);
    this.takerCame();
  }

  removeReader(reader: Reader): void {
    this.#readers.delete(reader);
  }

  /** There is somebody now who listens for messages. */
  takerCame(): void {
    this.#whenTaker();
  }

  #queue(item: Item<Tx>): void {
    this.#items.push(item);
    if (this.#pumping === undefined) {
      this.#pumping = this.#pump().finally(() => (this.#pumping = undefined));
    }
  }

  async #pump(): Promise<void> {
    const { signal } = this.#options;
    for (let item = this.#items[0]; item !== undefined && !signal.aborted; item = this.#items[0]) {
      await this.#untilDone(item);
      if (signal.aborted) break;
      const wasTooFull = this.surplus() > 0;
      this.#items.shift();
      if (wasTooFull) this.#options.onRoom();
    }
  }

  async #untilDone(item: Item<Tx>): Promise<void> {
    const { clock, signal, listeners } = this.#options;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        return await this.#handOver(item);
      } catch (error) {
        if (signal.aborted) return;
        if (error !== NO_TAKER)
          listeners.tell('error', sanctumError(error, 'storage_failed', 'the storage failed'));
        await sleep(clock, fullJitterMs(clock, { ...BACKOFF, failures }), signal);
      }
    }
  }

  async #handOver(item: Item<Tx>): Promise<void> {
    const { storage, signal } = this.#options;
    const [effect] = item.effects;
    if (effect?.kind === 'deliver' || effect?.kind === 'deliver_late') {
      item.opened ??= await this.#options.opener.open(effect.frame, effect.kind === 'deliver_late');
      if (!item.opened.isHidden) await this.#untilRead(item, item.opened.message);
    }
    if (signal.aborted) return;
    let settle: (() => void) | undefined;
    await storage.transaction(async (tx) => {
      const { opened } = item;
      if (opened?.message.own) settle = await this.#options.settle(opened.message, tx);
      for (const each of item.effects) await this.#tellListeners(each, item, tx);
      // Behind them: a listener that sends has moved the cipher on.
      await opened?.store?.(tx);
      for (const write of item.writes) await write(tx);
    });
    // Not before: where the transaction fails, it waits to be sent as before.
    settle?.();
    item.done?.();
  }

  /** Waits until there is somebody to take it; the readers have it first, outside of any transaction. */
  async #untilRead(item: Item<Tx>, message: ReceivedMessage): Promise<void> {
    const { signal, listeners } = this.#options;
    while (!item.wasRead && !signal.aborted) {
      const taken = await Promise.all([...this.#readers].map((reader) => reader(message)));
      item.wasRead = taken.includes(true);
      if (item.wasRead || listeners.has('message')) return;
      if (signal.aborted) return;
      // Whoever left may have made place for another already, who is told of no later than this.
      if (this.#readers.size > 0) continue;
      await new Promise<void>((resolve) => {
        this.#whenTaker = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  async #tellListeners(effect: Effect, { opened, wasRead }: Item<Tx>, tx: Tx): Promise<void> {
    const { listeners } = this.#options;
    const { conversationId } = effect;
    switch (effect.kind) {
      case 'deliver':
      case 'deliver_late':
        if (opened === undefined) return;
        if (opened.isHidden) return;
        // The last one has left since: it waits for the next.
        if (!wasRead && !listeners.has('message')) throw NO_TAKER;
        return listeners.call('message', opened.message, tx);
      case 'moved': {
        const { from, to, reason } = effect.frame;
        return listeners.call('gap', { conversationId, from, to, reason }, tx);
      }
      case 'joined':
      case 'left': {
        const { head, change } = effect.frame;
        return listeners.call('member', { conversationId, change, head }, tx);
      }
      case 'reset':
        return listeners.call('reset', { conversationId }, tx);
      case 'refused':
        return listeners.call('refused', { conversationId, code: effect.code }, tx);
      default:
        return;
    }
  }
}
