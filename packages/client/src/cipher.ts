import type { StorageTransaction } from './storage/storage.ts';

/**
 * What encrypts and decrypts. The client sends nothing that has not been through one, and hands on nothing else.
 *
 * Calls overlap: one that sends is not waited for by one that receives. A cipher whose keys move on with each message
 * (MLS, a double ratchet) lets a conversation's calls wait for one another, and returns `store` with what it made. That
 * is called in the transaction that puts the ciphertext into the outbox, or the cursor into the storage, behind
 * everything that listeners do; it has to write the state as it is by then, since transactions may end in another order
 * than they began. A message that nobody took is decrypted again in the next run. Where something was sent between, the
 * stored state may be past it: such a cipher keeps what it opened until the message is taken, or the message comes
 * as unreadable.
 */
export interface Cipher<Tx extends StorageTransaction = StorageTransaction> {
  encrypt(plaintext: Uint8Array, context: MessageContext): Promise<Sealed<Tx>>;
  /** Rejects where it cannot: the message is handed on as unreadable, and the stream goes on. */
  decrypt(sealed: Sealed, context: MessageContext): Promise<Opened<Tx>>;
}

/** What a ciphertext belongs to; to be bound to it as associated data. */
export interface MessageContext {
  readonly conversationId: string;
  /** The user id of who sends it. The server vouches for it, and nobody else does unless the cipher checks. */
  readonly sender: string;
  readonly messageId: string;
}

export interface Sealed<Tx extends StorageTransaction = StorageTransaction> {
  readonly ciphertext: Uint8Array;
  /** `[a-z0-9._-]{1,32}`. Empty where the message named none. */
  readonly scheme: string;
  /** `[A-Za-z0-9._:-]{1,64}` */
  readonly keyId?: string | undefined;
  /** Writes what changed in the cipher. */
  readonly store?: ((tx: Tx) => void | Promise<void>) | undefined;
}

export interface Opened<Tx extends StorageTransaction = StorageTransaction> {
  /** undefined: a message of the cipher's own, such as an MLS commit, which the application does not see. */
  readonly plaintext: Uint8Array | undefined;
  /** Writes what changed in the cipher. */
  readonly store?: ((tx: Tx) => void | Promise<void>) | undefined;
}
