import { SanctumError } from '../sanctum-error.ts';
import { BufferedTransaction } from '../storage/buffered-transaction.ts';
import type { Storage } from '../storage/storage.ts';

const STORE = 'entries';
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
  let database: IDBDatabase;
  try {
    database = await open(`sanctum:${name}`);
  } catch (cause) {
    release();
    throw failed('the storage cannot be opened', cause);
  }
  // Without this a page could never delete or upgrade it from elsewhere.
  database.addEventListener('versionchange', () => database.close());

  return {
    async entries(prefix) {
      const store = database.transaction(STORE).objectStore(STORE);
      const range = IDBKeyRange.bound(prefix, prefix + LAST);
      const [keys, values] = await Promise.all([
        answer(store.getAllKeys(range)),
        answer(store.getAll(range) as IDBRequest<unknown[]>),
      ]);
      return keys.map((key, index) => [key as string, values[index]]);
    },

    async transaction(work) {
      const tx = new BufferedTransaction();
      // An IndexedDB transaction ends where nothing is asked of it: so all is written at the end, in one.
      await tx.run(work);
      const writes = tx.finish();
      if (writes.length === 0) return;
      const written = database.transaction(STORE, 'readwrite', { durability: 'relaxed' });
      const store = written.objectStore(STORE);
      try {
        for (const [key, value] of writes) {
          if (value === undefined) store.delete(key);
          else store.put(value, key);
        }
      } catch (cause) {
        // A value that cannot be cloned: without this, what came before it would be committed.
        written.abort();
        throw failed('a value cannot be stored', cause);
      }
      await completed(written);
    },

    async close() {
      database.close();
      release();
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
      .catch((cause: unknown) => reject(failed('another page has this device open', cause)));
  });
}

function open(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.addEventListener('upgradeneeded', () => request.result.createObjectStore(STORE));
  return answer(request);
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(failed('the storage does not answer', request.error)));
  });
}

function completed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve());
    transaction.addEventListener('abort', () =>
      reject(failed('the storage did not take it', transaction.error)),
    );
  });
}

function failed(message: string, cause: unknown): SanctumError {
  return new SanctumError('storage_failed', message, { cause });
}
