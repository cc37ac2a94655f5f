import type { Cipher } from './cipher.ts';
import { Client } from './client.ts';
import { systemClock, type Clock } from './clock.ts';
import type { WebSocketConstructor } from './connection/web-socket-like.ts';
import type { Storage, StorageTransaction } from './storage/storage.ts';
import type { TokenOption } from './token-source.ts';

export interface ConnectOptions<Tx extends StorageTransaction = StorageTransaction> {
  /** Where the service is, as `https://chat.example`. */
  readonly url: string;
  /** Whose device this is: the `sub` of the tokens. */
  readonly userId: string;
  /** A token, or better a function that gets one: then it is renewed before it expires. */
  readonly token: TokenOption;
  /** What encrypts and decrypts: see `@sanctum/client/webcrypto`. */
  readonly cipher: Cipher<Tx>;
  /**
   * What is kept between runs: `indexedDbStorage` of `@sanctum/client/indexeddb`, `fileStorage` of
   * `@sanctum/client/node`, one of your own, or `memoryStorage()`, which forgets all. One storage is for one device
   * of one user, open in one client at a time.
   */
  readonly storage: Storage<Tx>;
  /** `all` (default): every conversation of the user, present and future. `none`: those of `Client.subscribe`. */
  readonly subscribe?: 'all' | 'none';
  /** Where conversations begin on a device that has stored nothing yet: `head` (default) or `start`. */
  readonly begin?: 'head' | 'start';
  /** Needed in Node 20, which has none: that of the package `ws`. */
  readonly WebSocket?: WebSocketConstructor;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
}

/**
 * Opens a device: reads its storage, and goes on sending what waits in its outbox. Resolves without waiting for the
 * network; the connection for messages begins with the first listener for them.
 * @throws TypeError for options that cannot work, and whatever the storage throws
 */
export async function connect<Tx extends StorageTransaction = StorageTransaction>(
  options: ConnectOptions<Tx>,
): Promise<Client<Tx>> {
  const { url, userId, subscribe = 'all', begin = 'head', clock = systemClock } = options;
  const given: WebSocketConstructor | undefined = options.WebSocket ?? globalThis.WebSocket;
  if (given === undefined) {
    throw new TypeError('Node 20 has no WebSocket: give that of `ws`');
  }
  if (userId === '') throw new TypeError('`userId` is empty');
  return Client.open({
    ...options,
    baseUrl: baseUrlOf(url),
    subscribe,
    begin,
    WebSocket: given,
    // A browser's fetch must be called as the window's.
    fetch: options.fetch ?? ((...args) => globalThis.fetch(...args)),
    clock,
  });
}

/** The address without a slash at its end. @throws TypeError for anything but http(s) without query and user */
export function baseUrlOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:[^@?#]*$/.test(parsed.href)) {
    throw new TypeError('`url` must be as https://chat.example');
  }
  return parsed.href.replace(/\/+$/, '');
}
