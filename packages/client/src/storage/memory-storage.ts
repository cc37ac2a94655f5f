import { BufferedTransaction } from './buffered-transaction.ts';
import type { Storage } from './storage.ts';

/** A storage that forgets everything with the process: for tests, and for followers that begin anew each time. */
export function memoryStorage(): Storage {
  /** As JSON, so that nobody changes a stored value by holding on to it. */
  const stored = new Map<string, string>();
  return {
    async entries(prefix) {
      const found = [...stored].filter(([key]) => key.startsWith(prefix));
      found.sort(([a], [b]) => (a < b ? -1 : 1));
      return found.map(([key, json]) => [key, JSON.parse(json) as unknown]);
    },
    async transaction(work) {
      const tx = new BufferedTransaction();
      await tx.run(work);
      // All of it first: what is no JSON must not leave half of a transaction.
      const writes = Array.from(tx.finish(), ([key, value]) => [key, JSON.stringify(value)] as const);
      for (const [key, json] of writes) {
        if (json === undefined) stored.delete(key);
        else stored.set(key, json);
      }
    },
    async close() {},
  };
}
