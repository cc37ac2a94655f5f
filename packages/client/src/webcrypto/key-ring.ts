import { isKeyId } from '@sanctum/protocol';
import { canonicalBytes } from './canonical.ts';

/** Bytes of the secret that a conversation's members share. */
export const SECRET_BYTES = 32;

/** A `CryptoKey`, in programs without the types of the DOM as well. */
export type SymmetricKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** A key of one conversation and key epoch. */
export interface EpochKey {
  /** Names the key epoch, as `2` or `2026-03`: `[A-Za-z0-9._:-]{1,64}`. */
  readonly keyId: string;
  /** AES-GCM, 256 bits, of this conversation and epoch alone. */
  readonly key: SymmetricKey;
}

/** Where the cipher finds its keys. How they come to the members is the application's affair. */
export interface ConversationKeys {
  /** The key to send with: that of the newest epoch. Rejects where there is none. */
  current(conversationId: string): EpochKey | Promise<EpochKey>;
  /** The key of an epoch; undefined where this device does not have it. */
  find(conversationId: string, keyId: string): SymmetricKey | undefined | Promise<SymmetricKey | undefined>;
}

/** A new secret for a conversation and key epoch. */
export function newSecret(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
}

/**
 * The key that a shared secret gives for one conversation and key epoch (HKDF-SHA-256). Conversation and epoch go
 * into it, so that a secret used twice by mistake still gives two keys. Not extractable.
 * @throws TypeError for a secret of another length or a wrong key id
 */
export async function deriveKey(
  secret: Uint8Array,
  { conversationId, keyId }: { conversationId: string; keyId: string },
): Promise<SymmetricKey> {
  if (secret.length !== SECRET_BYTES) throw new TypeError(`a secret has ${SECRET_BYTES} bytes`);
  if (!isKeyId(keyId)) throw new TypeError('a key id has 1 to 64 of A-Z a-z 0-9 . _ : -');
  const material = await crypto.subtle.importKey('raw', new Uint8Array(secret), 'HKDF', false, ['deriveKey']);
  const info = canonicalBytes('sanctum webcrypto v1 key', conversationId, keyId);
  return crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info },
    material,
    { name: 'AES-GCM', length: 256 },
    false,
    ['encrypt', 'decrypt'],
  );
}

/** A key, and where it stands in the order of the calls of `add`. */
interface AddedKey extends EpochKey {
  readonly turn: number;
}

/** Keys in memory. What is added last is sent with. */
export class KeyRing implements ConversationKeys {
  readonly #keys = new Map<string, Map<string, AddedKey>>();
  readonly #current = new Map<string, AddedKey>();
  #turns = 0;

  /** Adds the key of a conversation's epoch, which is the current one from now on. */
  async add(conversationId: string, keyId: string, secret: Uint8Array): Promise<void> {
    // Before the derivation: that of a later call may end first.
    const turn = ++this.#turns;
    const added = { keyId, key: await deriveKey(secret, { conversationId, keyId }), turn };
    const keys = this.#keys.get(conversationId) ?? new Map<string, AddedKey>();
    this.#keys.set(conversationId, keys);
    setLater(keys, keyId, added);
    setLater(this.#current, conversationId, added);
  }

  current(conversationId: string): EpochKey {
    const current = this.#current.get(conversationId);
    if (current === undefined)
      throw new Error('there is no key for this conversation: add one to the key ring');
    return current;
  }

  find(conversationId: string, keyId: string): SymmetricKey | undefined {
    return this.#keys.get(conversationId)?.get(keyId)?.key;
  }
}

/** What a later call has set stays. */
function setLater(keys: Map<string, AddedKey>, name: string, added: AddedKey): void {
  if (added.turn > (keys.get(name)?.turn ?? 0)) keys.set(name, added);
}
