import { isSeq, isUuid, type HelloFrame, type ServerFrame } from '@sanctum/protocol';
import type { Cipher } from './cipher.ts';
import type { Clock } from './clock.ts';
import { Connection } from './connection/connection.ts';
import type { Link } from './connection/link.ts';
import { Subscriptions, type Place, type Subscribed } from './connection/subscriptions.ts';
import { watchWakeSignals } from './connection/wake-signals.ts';
import type { WebSocketConstructor } from './connection/web-socket-like.ts';
import { CursorBook, type Effect } from './cursor-book.ts';
import { Http } from './http.ts';
import { Listeners, type Events, type Listener } from './listeners.ts';
import { DeadLetters } from './receiving/dead-letters.ts';
import type { OutgoingMessage, ReceivedMessage, Status } from './receiving/events.ts';
import { readHistory, type History, type HistoryOptions } from './receiving/history.ts';
import { Inbox } from './receiving/inbox.ts';
import { readMessages } from './receiving/message-iterator.ts';
import { contextOf, MessageOpener } from './receiving/message-opener.ts';
import { loadPlaces } from './receiving/stored-cursors.ts';
import { SanctumError, sanctumError } from './sanctum-error.ts';
import { Outbox, type SendOptions, type SentMessage } from './sending/outbox.ts';
import type { Storage, StorageTransaction } from './storage/storage.ts';
import { TokenSource, type TokenOption } from './token-source.ts';

/** What `connect` makes of its options. */
export interface ClientSettings<Tx extends StorageTransaction> {
  readonly baseUrl: string;
  readonly userId: string;
  readonly token: TokenOption;
  readonly cipher: Cipher<Tx>;
  readonly storage: Storage<Tx>;
  readonly subscribe: 'all' | 'none';
  readonly begin: 'head' | 'start';
  readonly WebSocket: WebSocketConstructor;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

const utf8 = new TextEncoder();

/** A device of a user. Made by `connect`. */
export class Client<Tx extends StorageTransaction = StorageTransaction> {
  /** Whose device this is. */
  readonly userId: string;
  readonly #settings: ClientSettings<Tx>;
  readonly #stop = new AbortController();
  readonly #listeners = new Listeners<Tx>();
  readonly #http: Http;
  readonly #book: CursorBook;
  readonly #opener: MessageOpener<Tx>;
  readonly #inbox: Inbox<Tx>;
  readonly #outbox: Outbox<Tx>;
  readonly #deadLetters: DeadLetters;
  readonly #subscriptions: Subscriptions;
  readonly #connection: Connection;
  readonly #ended: Promise<Error | undefined>;
  #end: (error: Error | undefined) => void = () => undefined;
  #running: Promise<void> | undefined;
  #hasStarted: boolean;
  #link: Link | undefined;
  #status: Status = { state: 'idle' };

  private constructor(settings: ClientSettings<Tx>, places: Awaited<ReturnType<typeof loadPlaces>>) {
    const { token, clock, baseUrl, cipher, userId, subscribe } = settings;
    const { signal } = this.#stop;
    const { ages } = places;
    const listeners = this.#listeners;
    this.#settings = settings;
    this.userId = userId;
    this.#hasStarted = places.started;
    this.#ended = new Promise((resolve) => (this.#end = resolve));
    const tokens = new TokenSource(token, clock, signal);
    const book = (this.#book = new CursorBook(places.snapshot));
    const http = (this.#http = new Http({ ...settings, tokens, signal }));
    const opener = (this.#opener = new MessageOpener(cipher, userId));
    /** What all parts stand on; each takes what it needs. */
    const base = {
      ...settings,
      tokens,
      signal,
      listeners,
      ages,
      book,
      http,
      opener,
      onTrouble: (error: SanctumError) => listeners.tell('error', error),
      surplus: () => this.#inbox.surplus(),
    };
    this.#outbox = new Outbox({
      ...base,
      onChange: (message) => listeners.tell('outgoing', message),
      onLoginOver: (error) => this.#halt(error),
    });
    this.#inbox = new Inbox({
      ...base,
      settle: (message, tx) => this.#outbox.settle(message, tx),
      onRoom: () => this.#connection.roomMade(),
    });
    this.#deadLetters = new DeadLetters({
      ...base,
      onMessage: (frame) => void this.#inbox.take(frame),
      onForgotten: (conversationId) => this.#inbox.storePlace(conversationId),
    });
    this.#subscriptions = new Subscriptions({
      ...base,
      mode: subscribe,
      voidCursor: (conversationId) => this.#voidCursors(conversationId, 'cursor_ahead'),
    });
    this.#connection = new Connection({
      ...base,
      url: `${baseUrl.replace(/^http/, 'ws')}/ws`,
      hello: () => this.#hello(),
      onFrame: (frame) => this.#take(frame),
      onReady: (link) => {
        this.#link = link;
        this.#setStatus({ state: 'online', caughtUp: false });
        this.#subscriptions.begin(link);
      },
      onStatus: (status) => this.#setStatus(status),
    });
  }

  /** @internal Reads the storage. */
  static async open<Tx extends StorageTransaction>(settings: ClientSettings<Tx>): Promise<Client<Tx>> {
    const client = new Client(settings, await loadPlaces(settings.storage as Storage<never>));
    await client.#outbox.load();
    const wake = () => {
      client.#connection.wake();
      client.#outbox.wake();
    };
    void watchWakeSignals(settings.clock, wake, client.#stop.signal);
    return client;
  }

  /** What the connection is doing now; each change is a `status` event. */
  get status(): Status {
    return this.#status;
  }

  /** Messages that wait to be sent, in the order in which they were written. */
  get outbox(): readonly OutgoingMessage[] {
    return this.#outbox.list();
  }

  /**
   * Listens. The first listener for `message` opens the connection. What an earlier run left in the outbox is sent
   * on from the next turn of the event loop: whoever wants to hear what becomes of it listens right after `connect`.
   * @returns what ends it
   */
  on<K extends keyof Events<Tx>>(name: K, listener: Listener<Tx, K>): () => void {
    const off = this.#listeners.add(name, listener);
    if (name === 'message') {
      this.#inbox.takerCame();
      this.#start();
    }
    return off;
  }

  /**
   * Messages one by one, each conversation's in its order, and opens the connection. A message is taken, and its
   * cursor stored, when the next one is asked for; whoever leaves the loop gets the last one again. It ends when the
   * client is closed. One `next` at a time, as `for await` does.
   * @throws SanctumError in the loop, where the connection has ended for good
   */
  messages(): AsyncIterableIterator<ReceivedMessage, undefined> {
    const messages = readMessages(this.#inbox, this.#ended);
    this.#start();
    return messages;
  }

  /**
   * Sends a message: encrypts it, stores it in the outbox, and goes on sending until it is answered, over restarts
   * if need be. Resolves once it is stored, online or not; what becomes of it is `settled`, and an `outgoing` event.
   * @throws SanctumError why the client ended, or what the cipher or the storage throws: then it is not sent
   */
  async send(
    conversationId: string,
    content: string | Uint8Array,
    options: SendOptions<Tx> = {},
  ): Promise<SentMessage> {
    checkUuid(conversationId);
    if (options.messageId !== undefined) checkUuid(options.messageId);
    const bytes = typeof content === 'string' ? utf8.encode(content) : content;
    return this.#outbox.send(conversationId, bytes, options);
  }

  /** A page of a conversation, decrypted. It moves no cursor. @throws SanctumError */
  async history(conversationId: string, options: HistoryOptions = {}): Promise<History> {
    checkUuid(conversationId);
    return readHistory(this.#http, this.#opener, conversationId, options);
  }

  /**
   * Follows a conversation, or begins it anew from another place: what comes after it is handed on (again). With
   * `subscribe: "all"` there is no need for it but that. Without `after`: behind what is stored, else at the head.
   * Each call is a request of its own, of which the service lets 64 wait: whoever follows more awaits some between.
   * @throws SanctumError `conversation_not_found`, `cursor_ahead`, or why the client ended
   */
  async subscribe(conversationId: string, { after }: { after?: Place } = {}): Promise<Subscribed> {
    checkUuid(conversationId);
    if (typeof after === 'number' && !isSeq(after)) throw new TypeError('`after` is no seq');
    this.#stop.signal.throwIfAborted();
    const answer = this.#subscriptions.subscribe(conversationId, after);
    this.#start();
    return answer;
  }

  /** Tries again to read a message, with a key that was not there when it came. Rejects as the cipher does. */
  async decrypt(message: ReceivedMessage & { readable: false }): Promise<Uint8Array | undefined> {
    const { sealed } = message;
    if (sealed === undefined) throw new SanctumError('invalid_ciphertext', 'the message has no ciphertext');
    return (await this.#settings.cipher.decrypt(sealed, contextOf(message))).plaintext;
  }

  /**
   * Ends the connection and lets go of the storage. Listeners that are at work have a second to return, and then
   * what they took is stored; what was not taken, and what waits to be sent, stays for the next run. Safe to call
   * twice, and in a listener.
   */
  async close(): Promise<void> {
    this.#halt(undefined);
    await this.#running;
    await this.#inbox.idle();
    await this.#settings.storage.close();
  }

  #start(): void {
    if (this.#running !== undefined || this.#stop.signal.aborted) return;
    this.#running = this.#connection.run().then(
      () => undefined,
      (error: unknown) => this.#halt(sanctumError(error, 'protocol_broken', 'the client failed')),
    );
  }

  /** Ends everything; with an error where it was not the application that wanted it. */
  #halt(error: SanctumError | undefined): void {
    if (this.#stop.signal.aborted) return;
    const reason = error ?? new SanctumError('closed', 'the client was closed');
    this.#stop.abort(reason);
    this.#subscriptions.end(reason);
    this.#end(error);
    this.#setStatus({ state: 'stopped', error: reason });
  }

  #hello(): Omit<HelloFrame, 'type' | 'token' | 'epoch' | 'cursors' | 'more'> {
    const { subscribe, begin } = this.#settings;
    // What came up to the first `caught_up` is stored: whatever appears from now on is new, and wanted whole.
    const without_cursor = this.#hasStarted ? 'start' : begin;
    return { subscribe, without_cursor };
  }

  #take(frame: ServerFrame): readonly Effect[] {
    // The log was set back. What is asked for by hand must not wait for the `reset` that says so: it would be asked
    // with old cursors, and where none went with `hello` no `reset` comes.
    if (frame.type === 'ready' && (this.#book.epoch ?? frame.epoch) !== frame.epoch) {
      this.#subscriptions.beforeReset();
      this.#voidCursors('*', 'epoch', frame.epoch);
    }
    const link = this.#link;
    const effects = this.#inbox.take(
      frame,
      frame.type === 'caught_up' ? () => this.#caughtUp(link) : undefined,
    );
    this.#subscriptions.take(frame);
    return effects;
  }

  #voidCursors(
    conversation_id: string,
    reason: 'epoch' | 'cursor_ahead',
    epoch = this.#book.epoch ?? 0,
  ): void {
    this.#inbox.take({ type: 'reset', conversation_id, epoch, reason });
  }

  /** Everything up to a connection's `caught_up` is stored; perhaps that connection is long over. */
  #caughtUp(link: Link | undefined): void {
    this.#hasStarted = true;
    if (link !== this.#link || this.#status.state !== 'online') return;
    this.#setStatus({ state: 'online', caughtUp: true });
    this.#listeners.tell('caughtUp');
    void this.#deadLetters.ask();
  }

  #setStatus(status: Status): void {
    this.#status = status;
    this.#listeners.tell('status', status);
  }
}

/** The service calls anything else a bad frame, and ends the connection for good. */
function checkUuid(id: string): void {
  if (!isUuid(id)) throw new TypeError('an id must be a UUID in lower case');
}
