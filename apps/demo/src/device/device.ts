import {
  connect,
  Conversations,
  SanctumError,
  type Client,
  type OutgoingMessage,
  type ReceivedMessage,
  type Storage,
} from '@sanctum/client';
import { indexedDbStorage } from '@sanctum/client/indexeddb';
import { KeyRing, webCryptoCipher } from '@sanctum/client/webcrypto';
import { decodeBase64, type MessageFrame } from '@sanctum/protocol';
import { encodeContent, parseContent, type Marks } from '../content.ts';
import type {
  ConversationKey,
  DeviceOptions,
  DeviceStatus,
  Question,
  Report,
  ShownMessage,
  Wire,
} from './device-messages.ts';
import { Network } from './network.ts';
import { Receipts } from './receipts.ts';
import { wireOf } from './wire.ts';

/** All that is stored here beside the client's own. */
const TEXTS = 'demo/text/';
const MARKS = 'demo/marks/';
const READ = 'demo/read/';
/** There is one key for each conversation, and it is never changed. */
const KEY_ID = '1';
/** Frames whose messages have not been handed over yet; the client takes no more than its credit. */
const FRAMES_MAX = 2048;

const utf8 = new TextDecoder();

/**
 * A person's device: keys, storage and connection. Whatever is to be seen goes to the page as reports; what was
 * received is stored in the transaction of its cursor, so that a device that is killed shows each message once.
 */
export class Device {
  readonly #options: DeviceOptions;
  readonly #report: (report: Report) => void;
  readonly #keys = new KeyRing();
  readonly #frames = new Map<string, Wire>();
  readonly #network: Network;
  readonly #receipts: Receipts;
  readonly #conversations: Conversations;
  readonly #storage: Storage;
  #client: Client | undefined;

  private constructor(options: DeviceOptions, storage: Storage, report: (report: Report) => void) {
    const { url, name, online } = options;
    this.#options = options;
    this.#storage = storage;
    this.#report = report;
    this.#network = new Network({ online, onMessage: (frame) => this.#remember(frame) });
    this.#conversations = new Conversations({ url, token: () => this.#token() });
    this.#receipts = new Receipts({
      name,
      mayTell: () => this.#client !== undefined && statusOf(this.#client.status) === 'online',
      send: async (conversationId, content, marks) =>
        this.#client?.send(conversationId, content, {
          store: (tx) => tx.put(this.#marksKey(conversationId, options.userId), { name, ...marks }),
        }),
    });
  }

  /** Reads what it stored in earlier runs, and connects. */
  static async open(options: DeviceOptions, report: (report: Report) => void): Promise<Device> {
    const storage = await indexedDbStorage(options.userId);
    const device = new Device(options, storage, report);
    for (const key of options.keys) await device.learn(key);
    await device.#load();
    await device.#connect();
    return device;
  }

  async learn({ conversationId, secret }: ConversationKey): Promise<void> {
    await this.#keys.add(conversationId, KEY_ID, new Uint8Array(decodeBase64(secret) ?? []));
  }

  setOnline(online: boolean): void {
    this.#network.set(online);
  }

  async send(conversationId: string, texts: readonly string[]): Promise<void> {
    const { name } = this.#options;
    for (const text of texts) {
      await this.#client?.send(conversationId, encodeContent({ kind: 'text', name, text }));
    }
  }

  /** The person has seen everything up to there. */
  async read(conversationId: string, seq: number): Promise<void> {
    await this.#storage.transaction((tx) => tx.put(READ + conversationId, seq));
    this.#receipts.reached(conversationId, { read: seq });
  }

  async ask(question: Question): Promise<void> {
    const { conversationId } = question;
    if (!this.#network.isOnline) throw new Error('This device is offline.');
    if (question.kind === 'create') {
      await this.#conversations.create({ conversationId, members: question.members });
    } else await this.#conversations.addMember(conversationId, question.userId);
  }

  async #load(): Promise<void> {
    for (const [, value] of await this.#storage.entries(TEXTS)) {
      const message = value as ShownMessage;
      this.#report({ kind: 'message', message });
      if (message.wire) this.#report({ kind: 'wire', wire: message.wire, inside: insideOf(message) });
      if (message.sender !== this.#options.userId) {
        this.#receipts.reached(message.conversationId, { delivered: message.seq });
      }
    }
    for (const [key, value] of await this.#storage.entries(MARKS)) {
      const [conversationId, userId] = key.slice(MARKS.length).split('/') as [string, string];
      this.#tellMarks(conversationId, userId, value as Marks & { name: string });
    }
    for (const [key, value] of await this.#storage.entries(READ)) {
      const [conversationId, read] = [key.slice(READ.length), value as number];
      const { userId, name } = this.#options;
      this.#receipts.reached(conversationId, { read });
      this.#report({ kind: 'marks', conversationId, userId, name, delivered: 0, read });
    }
  }

  async #connect(): Promise<void> {
    const { url, userId } = this.#options;
    const client = await connect({
      url,
      userId,
      token: () => this.#token(),
      storage: this.#storage,
      cipher: webCryptoCipher({ keys: this.#keys, storage: this.#storage }),
      begin: 'start',
      fetch: this.#network.fetch,
      WebSocket: this.#network.WebSocket,
    });
    this.#client = client;
    for (const message of client.outbox) this.#tellOutgoing(message);
    client.on('outgoing', (message) => this.#tellOutgoing(message));
    client.on('status', (status) => this.#tellStatus(status));
    // A server that is away, which the status tells, is a part of the demonstration.
    client.on('error', (error) => {
      if (!error.retryable) console.error(error);
    });
    client.on('caughtUp', () => this.#receipts.due());
    const left = new Set<string>();
    client.on('member', ({ conversationId, change }) => {
      if (change === 'removed') left.add(conversationId);
      else left.delete(conversationId);
    });
    client.on('refused', ({ conversationId, code }) => {
      if (left.has(conversationId)) return;
      this.#trouble(`The server refuses a conversation (${code}). If its data was deleted: start over.`);
    });
    client.on('reset', async ({ conversationId }, tx) => {
      // The log was set back: these places mean other messages now, and all that is there comes again.
      for (const [key] of await this.#storage.entries(`${TEXTS}${conversationId}/`)) await tx.delete(key);
      this.#report({ kind: 'reset', conversationId });
    });
    client.on('gap', async ({ conversationId, from, to, reason }, tx) => {
      const text = `${to - from + 1} messages are not there (${reason})`;
      const place = { conversationId, seq: from, messageId: `gap-${conversationId}-${from}`, occurredAt: '' };
      const message: ShownMessage = { ...place, kind: 'lost', sender: '', name: '', text, wire: undefined };
      await tx.put(textKey(message), message);
      this.#report({ kind: 'message', message });
    });
    client.on('message', (message, tx) => this.#take(message, (key, value) => tx.put(key, value)));
  }

  async #take(
    message: ReceivedMessage,
    put: (key: string, value: unknown) => void | Promise<void>,
  ): Promise<void> {
    const { conversationId, seq, messageId, occurredAt, sender = '' } = message;
    const content = message.readable ? parseContent(message.text) : undefined;
    const wire = this.#frames.get(messageId);
    this.#frames.delete(messageId);
    if (content?.kind === 'receipt') {
      const { name, delivered, read } = content;
      await put(this.#marksKey(conversationId, sender), { name, delivered, read });
      this.#tellMarks(conversationId, sender, content);
      const inside = `${name} has received up to #${delivered}, read up to #${read}`;
      if (wire) this.#report({ kind: 'wire', wire, inside });
      return;
    }
    const shown: ShownMessage = {
      ...{ conversationId, seq, messageId, sender, occurredAt, wire },
      kind: content === undefined ? 'lost' : 'text',
      name: content?.name ?? '',
      text: content?.text ?? 'A message that cannot be read here',
    };
    await put(textKey(shown), shown);
    this.#report({ kind: 'message', message: shown });
    if (wire) this.#report({ kind: 'wire', wire, inside: insideOf(shown) });
    if (!message.own) this.#receipts.reached(conversationId, { delivered: seq });
  }

  #tellMarks(conversationId: string, userId: string, marks: Marks & { name: string }): void {
    const { name, delivered, read } = marks;
    if (userId === this.#options.userId) this.#receipts.told(conversationId, { delivered, read });
    this.#report({ kind: 'marks', conversationId, userId, name, delivered, read });
  }

  #tellOutgoing({ conversationId, messageId, createdAt, content, state }: OutgoingMessage): void {
    const inside = content === undefined ? undefined : parseContent(utf8.decode(content));
    if (inside?.kind !== 'text') return;
    const reason = state.kind === 'refused' ? state.error.message : undefined;
    const message = { conversationId, messageId, createdAt, text: inside.text, state: state.kind, reason };
    this.#report({ kind: 'outgoing', message });
  }

  #tellStatus(status: Client['status']): void {
    if (status.state === 'stopped') this.#trouble(`The device has stopped: ${status.error.message}.`);
    this.#report({ kind: 'status', status: statusOf(status) });
  }

  #trouble(text: string): void {
    this.#report({ kind: 'trouble', text });
  }

  #remember(frame: MessageFrame): void {
    if (this.#frames.size >= FRAMES_MAX) this.#frames.delete(this.#frames.keys().next().value!);
    this.#frames.set(frame.message_id, wireOf(frame));
  }

  async #token(): Promise<string> {
    const response = await this.#network.fetch(`${this.#options.url}/demo/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: this.#options.userId }),
    });
    if (response.status === 404) {
      throw new SanctumError(
        'login_required',
        'this service gives no tokens to the demo; `npm start` does, or DEMO_TOKENS=true',
      );
    }
    if (!response.ok) throw new Error(`no token: status ${response.status}`);
    return ((await response.json()) as { token: string }).token;
  }

  #marksKey(conversationId: string, userId: string): string {
    return `${MARKS}${conversationId}/${userId}`;
  }
}

function textKey({ conversationId, seq }: ShownMessage): string {
  return `${TEXTS}${conversationId}/${String(seq).padStart(16, '0')}`;
}

function insideOf({ kind, name, text }: ShownMessage): string {
  return kind === 'text' ? `${name}: ${text}` : text;
}

function statusOf(status: Client['status']): DeviceStatus {
  if (status.state === 'online') return status.caughtUp ? 'online' : 'catching_up';
  return status.state === 'idle' ? 'starting' : status.state;
}
