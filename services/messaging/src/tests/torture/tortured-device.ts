import { connect, type Client, type Storage } from '@sanctum/client';
import { fileStorage } from '@sanctum/client/node';
import { KeyRing, webCryptoCipher } from '@sanctum/client/webcrypto';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { mintToken } from '../support/tokens.ts';
import { recordingFetch, recordingWebSocket, type RecordedDevice } from './recording-wire.ts';

/** As the client's back-off says: never nearer than this. */
const PAUSE_MIN_MS = 100;
/** Some messages are held for a moment between hand-over and store, so that kills meet them there. */
const HELD_SHARE = 0.05;
const HELD_MS = 30;

export interface DeviceSettings {
  readonly name: string;
  readonly userId: string;
  readonly conversations: readonly string[];
  readonly file: string;
}

/**
 * An SDK client with a storage in a file, which stores each message in the transaction of its cursor, and checks
 * while it runs that nothing is repeated, missing or out of order. What it finds wrong goes to `tell`.
 */
export class TorturedDevice {
  readonly #settings: DeviceSettings & { url: string };
  readonly #wire: Omit<RecordedDevice, 'onOpen' | 'onGoaway'>;
  readonly #tell: (text: string) => void;
  #client: Client | undefined;
  #storage: Storage | undefined;
  readonly #last = new Map<string, number>();
  #openedMs: number | undefined;
  /** When the next try may begin, as the client's own status said. */
  #earliestMs = 0;

  constructor(
    settings: DeviceSettings & { url: string },
    wire: Omit<RecordedDevice, 'onOpen' | 'onGoaway'>,
    tell: (text: string) => void,
  ) {
    this.#settings = settings;
    this.#wire = wire;
    this.#tell = (text) => tell(`${settings.name}: ${text}`);
  }

  async open(): Promise<void> {
    const { url, userId, conversations, file } = this.#settings;
    const storage = (this.#storage = await fileStorage(file));
    this.#last.clear();
    for (const [key, value] of await storage.entries('count/')) {
      this.#last.set(key.slice('count/'.length), value as number);
    }
    const keys = new KeyRing();
    for (const id of conversations) await keys.add(id, '1', secretOf(id));
    const wire = {
      ...this.#wire,
      onOpen: () => this.#opened(),
      // A move is made at the moment that the server names.
      onGoaway: () => (this.#earliestMs = 0),
    };
    this.#openedMs = undefined;
    this.#earliestMs = 0;
    const client = (this.#client = await connect({
      url,
      userId,
      token: () => mintToken({ sub: userId }),
      storage,
      cipher: webCryptoCipher({ keys, storage }),
      begin: 'start',
      WebSocket: recordingWebSocket(wire),
      fetch: recordingFetch(wire),
    }));
    client.on('status', (status) => {
      if (status.state === 'waiting') this.#earliestMs = performance.now() + status.retryInMs;
      if (status.state === 'stopped' && status.error.code !== 'closed') {
        this.#tell(`stopped: ${status.error.code} ${status.error.message}`);
      }
    });
    // That a pod is away is what is done to it.
    client.on('error', ({ code, message, cause, retryable }) => {
      if (!retryable) this.#tell(`${code} ${message}: ${cause instanceof Error ? cause.message : ''}`);
    });
    client.on('gap', ({ from, to, reason }) => this.#tell(`a gap from ${from} to ${to}: ${reason}`));
    client.on('reset', () => this.#tell('a reset that nobody caused'));
    client.on('outgoing', ({ state }) => {
      if (state.kind === 'refused') this.#tell(`a message was refused: ${state.error.code}`);
    });
    client.on('message', async (message, tx) => {
      const { conversationId, seq, messageId } = message;
      const last = this.#last.get(conversationId) ?? 0;
      if (seq !== last + 1) this.#tell(`${seq} came after ${last} in ${conversationId}`);
      if (!message.readable) this.#tell(`cannot read ${seq} of ${conversationId}: ${message.reason}`);
      await tx.put(`got/${conversationId}/${seq}`, messageId);
      await tx.put(`count/${conversationId}`, last + 1);
      if (Math.random() < HELD_SHARE) await sleep(HELD_MS);
      this.#last.set(conversationId, last + 1);
    });
  }

  /** Sends a message to one of its conversations; what is in the outbox is noted with it. */
  async send(): Promise<void> {
    const { conversations } = this.#settings;
    const id = conversations[Math.floor(Math.random() * conversations.length)]!;
    await this.#client?.send(id, `from ${this.#settings.name}`, {
      store: (tx, { messageId }) => tx.put(`sent/${messageId}`, id),
    });
  }

  /** Closes the client and opens the storage again, as a page does that is reloaded. */
  async reopen(): Promise<void> {
    await this.close();
    await this.open();
  }

  async close(): Promise<void> {
    await this.#client?.close();
    await this.#storage?.close();
  }

  /** How many it has of each conversation, and how many wait to be sent. */
  progress(): { counts: [string, number][]; waiting: number } {
    return { counts: [...this.#last], waiting: this.#client?.outbox.length ?? 0 };
  }

  #opened(): void {
    const nowMs = performance.now();
    const previous = this.#openedMs;
    if (nowMs < this.#earliestMs) {
      this.#tell(`connected ${Math.round(this.#earliestMs - nowMs)} ms before the end of its pause`);
    }
    if (this.#earliestMs > 0 && previous !== undefined && nowMs - previous < PAUSE_MIN_MS) {
      this.#tell(`connected ${Math.round(nowMs - previous)} ms after the try before`);
    }
    this.#openedMs = nowMs;
  }
}

/** All members know it: what is tortured here is delivery. */
function secretOf(conversationId: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha256').update(conversationId).digest());
}
