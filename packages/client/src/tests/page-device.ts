/** What a page of the browser tests runs: one device, driven by the test through `window.device`. */
import { KeyRing, webCryptoCipher } from '../webcrypto/index.ts';
import { indexedDbStorage } from '../indexeddb/index.ts';
import type { Client } from '../client.ts';
import { connect } from '../connect.ts';

let client: Client | undefined;

const device = {
  /** Opens it; each message it takes is stored in the transaction of its cursor. */
  async open(options: {
    url: string;
    userId: string;
    token: string;
    conversationId: string;
    secret: number[];
  }): Promise<void> {
    const { url, userId, token, conversationId, secret } = options;
    const keys = new KeyRing();
    await keys.add(conversationId, '1', new Uint8Array(secret));
    const storage = await indexedDbStorage(userId);
    client = await connect({
      url,
      userId,
      token,
      storage,
      cipher: webCryptoCipher({ keys, storage }),
      begin: 'start',
    });
    client.on('message', async (message, tx) => {
      const text = message.readable ? message.text : message.reason;
      await tx.put(`app/${String(message.seq).padStart(6, '0')}`, text);
      taken.push(text);
    });
    stored = async () => (await storage.entries('app/')).map(([, text]) => text as string);
  },
  async send(conversationId: string, text: string): Promise<unknown> {
    return (await client?.send(conversationId, text))?.settled;
  },
  /** What this page was given, in order. */
  taken: (): string[] => taken,
  /** What the device stored, over all pages. */
  stored: (): Promise<string[]> => stored(),
  status: (): string => client?.status.state ?? 'closed',
};

const taken: string[] = [];
let stored: () => Promise<string[]> = async () => [];

export type PageDevice = typeof device;
Object.assign(globalThis, { device, indexedDbStorage });
