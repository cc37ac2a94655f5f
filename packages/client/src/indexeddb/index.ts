/** `@sanctum/client/indexeddb`: the storage for browsers. */
export { indexedDbStorage } from './indexeddb-storage.ts';
