/**
 * What a client keeps between its runs: a sorted map from keys to plain JSON values.
 *
 * The client's own keys begin with `sanctum/`; all others are the application's. An application that keeps its
 * messages elsewhere, as in a SQL database, brings a storage of its own, whose `transaction` is a transaction of
 * that database: then what a listener writes with `tx` and the cursor are committed together or not at all.
 */
export interface Storage<Tx extends StorageTransaction = StorageTransaction> {
  /** All entries whose key begins with `prefix`, in the order of their keys' UTF-16 units. */
  entries(prefix: string): Promise<[key: string, value: unknown][]>;
  /**
   * Runs `work` and commits what it wrote. Resolves once that would survive a crash; where `work` or the commit
   * fails it rejects, and nothing of it is stored. Transactions overlap: one is open while listeners run, and `send`
   * in a listener needs another. A medium that has but one at a time buffers the writes until `work` is done.
   */
  transaction(work: (tx: Tx) => void | Promise<void>): Promise<void>;
  /** Waits for what is being committed, and lets go of the medium. Safe to call twice. */
  close(): Promise<void>;
}

/** Writes of one transaction. Nobody sees them before it is committed. */
export interface StorageTransaction {
  put(key: string, value: unknown): void | Promise<void>;
  delete(key: string): void | Promise<void>;
}

/** The prefix of the client's own keys. */
export const OWN_PREFIX = 'sanctum/';
