import { SanctumError } from '../sanctum-error.ts';
import { BufferedTransaction } from '../storage/buffered-transaction.ts';
import type { Storage } from '../storage/storage.ts';
import { answer, happened, reopeningDatabase } from './reopening-database.ts';

/** A page that is being reloaded lets go of its storage a moment after the new one asks for it. */
const LOCK_WAIT_MS = 5000;
/** Above every key that begins with a prefix. */
const LAST = '\uffff';

/**
 * A storage in the browser's IndexedDB; one name for each device of each user. Only one page at a time may have it
 * open. It survives the end of the page and of the browser; a power failure may undo the last moments, what the
 * application wrote and the cursor alike.
 * @throws SanctumError `storage_failed` where another page has it open, or there is no IndexedDB
 */
export async function indexedDbStorage(name: string): Promise<Storage> {
  const release = await lock(`sanctum:${name}`);
  const database = reopeningDatabase(`sanctum:${name}`);
  let closing: Promise<void> | undefined;
  try {
    await database.open();
  } catch (error) {
    release();
    throw error;
  }

  return {
    async entries(prefix) {
      const range = IDBKeyRange.bound(prefix, prefix + LAST);
      const [keys, values] = await database.use('readonly', (store) =>
        Promise.all([answer(store.getAllKeys(range)), answer(store.getAll(range) as IDBRequest<unknown[]>)]),
      );
      return keys.map((key, index) => [key as string, values[index]]);
    },

    async transaction(work) {
      const tx = new BufferedTransaction();
      // An IndexedDB transaction ends where nothing is asked of it: so all is written at the end, in one.
      await tx.run(work);
      const writes = tx.finish();
      if (writes.length === 0) return;
      await database.use('readwrite', (store) => {
        try {
          for (const [key, value] of writes) {
            if (value === undefined) store.delete(key);
            else store.put(value, key);
          }
        } catch (cause) {
          // Without this, what came before the value would be committed.
          store.transaction.abort();
          // The cause may show the value itself, which no message shall.
          throw new TypeError('a value cannot be cloned', { cause });
        }
        return happened(store.transaction, 'complete', 'abort');
      });
    },

    close() {
      return (closing ??= database.close().then(release));
    },
  };
}

/** Waits for the page that holds the lock to let go of it. @returns what lets go of it here */
async function lock(name: string): Promise<() => void> {
  // Pages outside of secure contexts have none.
  if (!('locks' in navigator)) return () => undefined;
  const signal = AbortSignal.timeout(LOCK_WAIT_MS);
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, { signal }, () => new Promise<void>((release) => resolve(release)))
      .catch((cause: unknown) =>
        reject(
          new SanctumError(
            'storage_failed',
            'another page has this device open, or another client of this one',
            { cause },
          ),
        ),
      );
  });
}
