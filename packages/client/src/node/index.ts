/** `@sanctum/client/node`: the storage for Node. */
export { fileStorage } from './file-storage.ts';
