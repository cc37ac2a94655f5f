import { SanctumError } from '../sanctum-error.ts';

export const STORE = 'entries';

/**
 * A database that is opened when it is used, and again after the browser or another page has closed it: a page that
 * stays would be without its storage until it is reloaded.
 */
export function reopeningDatabase(name: string) {
  /** Shared by all who use it; forgotten once it is closed, or could not be opened. */
  let opening: Promise<IDBDatabase> | undefined;

  const open = (): Promise<IDBDatabase> => {
    const mine = (opening ??= openDatabase(name, () => {
      // There may be a newer one by now.
      if (opening === mine) opening = undefined;
    }));
    return mine;
  };
  return {
    open,

    /** Does the work in a transaction. @throws SanctumError */
    async use<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => T | Promise<T>): Promise<T> {
      const database = await open();
      try {
        return await work(database.transaction(STORE, mode, { durability: 'relaxed' }).objectStore(STORE));
      } catch (cause) {
        throw failed(cause);
      }
    },

    /** For good. Transactions that have begun end first. */
    async close(): Promise<void> {
      const last = opening;
      opening = Promise.reject(new SanctumError('closed', 'the storage was closed'));
      // Perhaps nobody asks for it any more.
      opening.catch(() => undefined);
      (await last?.catch(() => undefined))?.close();
    },
  };
}

/** @param onGone it was closed, or could not be opened; never called at once */
async function openDatabase(name: string, onGone: () => void): Promise<IDBDatabase> {
  try {
    // What is thrown at once, as where storage is forbidden, is told as late as the rest.
    await Promise.resolve();
    const request = indexedDB.open(name, 1);
    request.addEventListener('upgradeneeded', () => request.result.createObjectStore(STORE));
    const database = await answer(request);
    database.addEventListener('close', onGone);
    // Without this a page could never delete or upgrade it from elsewhere.
    database.addEventListener('versionchange', () => {
      onGone();
      database.close();
    });
    return database;
  } catch (cause) {
    onGone();
    throw failed(cause);
  }
}

/** Rejects with what IndexedDB says. */
export async function answer<T>(request: IDBRequest<T>): Promise<T> {
  await happened(request, 'success', 'error');
  return request.result;
}

/** Waits for one event of the two; rejects with the source's error at the other. */
export function happened(source: IDBRequest | IDBTransaction, good: string, bad: string): Promise<void> {
  return new Promise((resolve, reject) => {
    source.addEventListener(good, () => resolve());
    source.addEventListener(bad, () => reject(source.error!));
  });
}

/** Says what was wrong, too: whoever reads the message has seldom the cause at hand. */
function failed(cause: unknown): SanctumError {
  return new SanctumError('storage_failed', `IndexedDB failed: ${String(cause)}`, { cause });
}
