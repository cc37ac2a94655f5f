/**
 * `@sanctum/client`: the client for browsers and Node. `connect` opens a device; ciphers and storages that need a
 * platform are in `/webcrypto`, `/indexeddb` and `/node`.
 */
export * from './ack-counter.ts';
export type * from './cipher.ts';
export type { Client } from './client.ts';
export type { Clock, Timer } from './clock.ts';
export { connect, type ConnectOptions } from './connect.ts';
export type { Place, Subscribed } from './connection/subscriptions.ts';
export type { WebSocketConstructor, WebSocketLike } from './connection/web-socket-like.ts';
export * from './conversations.ts';
export { CursorBook, type CursorSnapshot, type Effect } from './cursor-book.ts';
export * from './cursor-rule.ts';
export type { Events, Listener } from './listeners.ts';
export { reseatsOf } from './overlap.ts';
export type * from './receiving/events.ts';
export type { History, HistoryOptions } from './receiving/history.ts';
export { SanctumError, type LocalErrorCode, type SanctumErrorCode } from './sanctum-error.ts';
export type { SendOptions, SentMessage, Settlement } from './sending/outbox.ts';
export { memoryStorage } from './storage/memory-storage.ts';
export type { Storage, StorageTransaction } from './storage/storage.ts';
export type { TokenOption } from './token-source.ts';
