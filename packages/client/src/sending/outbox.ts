import { decodeBase64, encodeBase64 } from '@sanctum/protocol';
import type { Cipher, Sealed } from '../cipher.ts';
import type { Clock } from '../clock.ts';
import type { Http } from '../http.ts';
import type { OutgoingMessage, ReceivedMessage } from '../receiving/events.ts';
import { contextOf } from '../receiving/message-opener.ts';
import { SanctumError } from '../sanctum-error.ts';
import { OWN_PREFIX, type Storage, type StorageTransaction } from '../storage/storage.ts';
import { uuidV7 } from '../uuid-v7.ts';
import { Lanes } from './lanes.ts';
import { postMessage, type PostOutcome } from './post-message.ts';

const PREFIX = `${OWN_PREFIX}outbox/`;
/** Messages that may wait to be sent. */
const ENTRIES_MAX = 10_000;
/**
 * The server knows a message again as long as it keeps it, a week unless configured otherwise. What has waited
 * longer than this might have been accepted and forgotten, so it is not sent again but comes back.
 */
export const OUTBOX_AGE_MAX_MS = 6 * 24 * 3_600_000;

/** What became of a message. It is told once; `unsettled`: the client was closed first, and the outbox keeps it. */
export type Settlement =
  | { readonly kind: 'sent'; readonly seq: number }
  | { readonly kind: 'refused'; readonly error: SanctumError }
  | { readonly kind: 'unsettled' };

const UNSETTLED: Settlement = { kind: 'unsettled' };

/** A message that is safe in the outbox. */
export interface SentMessage {
  readonly messageId: string;
  readonly conversationId: string;
  /** Never rejects. */
  readonly settled: Promise<Settlement>;
}

export interface SendOptions<Tx> {
  /**
   * A UUID, lower-case. A new one unless given. One that waits here already is not sent a second time, and `store` is
   * not called again; one that was sent before is refused (`message_id_reused`), since new ciphertext is another message.
   */
  readonly messageId?: string | undefined;
  /** Writes of the application that are stored together with the message. */
  readonly store?: ((tx: Tx, message: OutgoingMessage) => void | Promise<void>) | undefined;
}

/** As it is stored: ciphertext only. */
interface StoredMessage {
  readonly conversationId: string;
  readonly messageId: string;
  readonly ciphertext: string;
  readonly scheme: string;
  readonly keyId?: string | undefined;
  readonly createdAt: number;
}

interface Entry {
  readonly key: string;
  readonly stored: StoredMessage;
  readonly content: Uint8Array | undefined;
  readonly settled: Promise<Settlement>;
  readonly resolve: (settlement: Settlement) => void;
  isSettled: boolean;
}

export interface OutboxOptions<Tx extends StorageTransaction> {
  readonly userId: string;
  readonly cipher: Cipher<Tx>;
  readonly storage: Storage<Tx>;
  readonly http: Http;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onChange: (message: OutgoingMessage) => void;
  /** Messages do not get through, and are sent again. */
  readonly onTrouble: (error: SanctumError) => void;
  /** The login is over: nothing can be sent any more. */
  readonly onLoginOver: (error: SanctumError) => void;
}

/**
 * Messages on their way. One is encrypted, stored, and only then sent; a conversation's messages go one after
 * another, each again and again until it is answered, in this run or a later one. What the server says twice is the
 * same: it knows a message by its id.
 */
export class Outbox<Tx extends StorageTransaction> {
  readonly #options: OutboxOptions<Tx>;
  readonly #entries = new Map<string, Entry>();
  readonly #lanes: Lanes<Entry>;
  #lastNumber = 0;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: OutboxOptions<Tx>) {
    this.#options = options;
    const { clock, signal } = options;
    this.#lanes = new Lanes({ clock, signal, act: (entry) => this.#post(entry) });
    signal.addEventListener('abort', () => {
      for (const { resolve } of this.#entries.values()) resolve(UNSETTLED);
    });
  }

  /** Reads what earlier runs left, and goes on sending it: in a moment, so that its outcome finds listeners. */
  async load(): Promise<void> {
    const { storage, cipher, userId, clock } = this.#options;
    for (const [key, value] of await storage.entries(PREFIX)) {
      const stored = value as StoredMessage;
      this.#lastNumber = Number(key.slice(PREFIX.length));
      // Not every cipher can open what it sealed itself.
      const opened = await cipher
        .decrypt(sealedOf(stored), contextOf({ ...stored, sender: userId }))
        .catch(() => undefined);
      this.#add(key, stored, opened?.plaintext);
    }
    clock.setTimer(0, () => this.#lanes.begin());
  }

  /** What waits to be sent, in the order in which it was written. */
  list(): OutgoingMessage[] {
    return [...this.#entries.values()].map((entry) => outgoing(entry, { kind: 'queued' }));
  }

  /**
   * Encrypts a message and stores it; resolves once it would survive a crash.
   * @throws SanctumError why the client ended, or what the cipher or the storage throws: then it is not sent
   */
  async send(
    conversationId: string,
    content: Uint8Array,
    { messageId, store }: SendOptions<Tx>,
  ): Promise<SentMessage> {
    // One at a time: ciphers whose keys move on seal in the order of sending.
    const sent = this.#tail.then(() => this.#store(conversationId, content, { messageId, store }));
    this.#tail = sent.catch(() => undefined);
    const { stored, settled } = await sent;
    return { messageId: stored.messageId, conversationId, settled };
  }

  /**
   * A message of this user's came from the server: if it waits here, it has its place.
   * @returns what says so, to be called once the transaction is committed
   */
  async settle(
    { conversationId, messageId, seq }: ReceivedMessage,
    tx: Tx,
  ): Promise<(() => void) | undefined> {
    const entry = this.#entries.get(nameOf({ conversationId, messageId }));
    if (entry === undefined) return undefined;
    await tx.delete(entry.key);
    return () => this.#settle(entry, { kind: 'sent', seq });
  }

  /** The network may be back. */
  wake(): void {
    this.#lanes.wake();
  }

  async #store(conversationId: string, content: Uint8Array, options: SendOptions<Tx>): Promise<Entry> {
    const { cipher, storage, userId, clock, signal } = this.#options;
    signal.throwIfAborted();
    if (this.#entries.size >= ENTRIES_MAX) {
      throw new SanctumError('overloaded', `${ENTRIES_MAX} messages wait to be sent`, { retryable: true });
    }
    const createdAt = clock.now();
    const messageId = options.messageId ?? uuidV7(createdAt);
    // Whoever does not know whether it was stored asks again; new ciphertext would be another message.
    const waiting = this.#entries.get(nameOf({ conversationId, messageId }));
    if (waiting !== undefined) return waiting;
    const sealed = await cipher.encrypt(content, { conversationId, sender: userId, messageId });
    const { scheme, keyId } = sealed;
    const ciphertext = encodeBase64(sealed.ciphertext);
    const stored: StoredMessage = { conversationId, messageId, ciphertext, scheme, keyId, createdAt };
    const key = PREFIX + String(++this.#lastNumber).padStart(16, '0');
    await storage.transaction(async (tx) => {
      await options.store?.(tx, outgoing({ stored, content }, { kind: 'queued' }));
      await sealed.store?.(tx);
      await tx.put(key, stored);
    });
    return this.#add(key, stored, content);
  }

  #add(key: string, stored: StoredMessage, content: Uint8Array | undefined): Entry {
    let resolve: Entry['resolve'] = () => undefined;
    const settled = new Promise<Settlement>((settle) => (resolve = settle));
    const entry: Entry = { key, stored, content, settled, resolve, isSettled: false };
    this.#entries.set(nameOf(stored), entry);
    if (this.#options.signal.aborted) resolve(UNSETTLED);
    this.#options.onChange(outgoing(entry, { kind: 'queued' }));
    this.#lanes.add(stored.conversationId, entry);
    return entry;
  }

  /** One try; undefined once there is nothing more to do, else the least pause before the next. */
  async #post(entry: Entry): Promise<{ floorMs: number } | undefined> {
    if (entry.isSettled) return undefined;
    const outcome = await this.#try(entry.stored);
    if (entry.isSettled || this.#options.signal.aborted) return undefined;
    switch (outcome.kind) {
      case 'again':
        this.#options.onTrouble(outcome.error);
        return outcome;
      case 'login_over':
        this.#options.onLoginOver(outcome.error);
        return undefined;
      case 'sent':
      case 'refused':
        await this.#options.storage.transaction((tx) => tx.delete(entry.key));
        this.#settle(entry, outcome);
        return undefined;
    }
  }

  async #try(stored: StoredMessage): Promise<PostOutcome> {
    const { clock, http } = this.#options;
    if (clock.now() - stored.createdAt <= OUTBOX_AGE_MAX_MS) return postMessage(http, stored);
    const error = new SanctumError('outbox_expired', 'it waited too long');
    return { kind: 'refused', error };
  }

  #settle(entry: Entry, settlement: Settlement & { kind: 'sent' | 'refused' }): void {
    // Both the answer and the message itself may say so.
    if (entry.isSettled) return;
    entry.isSettled = true;
    this.#entries.delete(nameOf(entry.stored));
    this.#options.onChange(outgoing(entry, settlement));
    entry.resolve(settlement);
  }
}

/** An id is unique within its conversation. */
function nameOf({ conversationId, messageId }: Pick<StoredMessage, 'conversationId' | 'messageId'>): string {
  return conversationId + messageId;
}

function outgoing(
  { stored, content }: Pick<Entry, 'stored' | 'content'>,
  state: OutgoingMessage['state'],
): OutgoingMessage {
  const { conversationId, messageId, createdAt } = stored;
  return { conversationId, messageId, createdAt, content, state };
}

function sealedOf({ ciphertext, scheme, keyId }: StoredMessage): Sealed {
  return { ciphertext: decodeBase64(ciphertext) ?? new Uint8Array(), scheme, keyId };
}
