import type { Cipher, MessageContext } from '../cipher.ts';
import { SanctumError } from '../sanctum-error.ts';
import { OWN_PREFIX, type Storage } from '../storage/storage.ts';
import { canonicalBytes } from './canonical.ts';
import type { ConversationKeys } from './key-ring.ts';
import { pad, unpad } from './padding.ts';

/** The `scheme` of its messages. */
export const SCHEME = 'aes256gcm.v1';
/**
 * Messages that one device may encrypt with one key. Random 96-bit nonces are safe for 2^32 messages of a key (NIST
 * SP 800-38D, 8.3); this leaves room for 4,096 devices that share it.
 */
export const ENCRYPTIONS_MAX = 2 ** 20;

const NONCE_BYTES = 12;
const COUNT_PREFIX = `${OWN_PREFIX}encryptions/`;

/**
 * AES-256-GCM: a random nonce, then the padded content. Conversation, sender, message and key are bound to it as
 * associated data.
 *
 * @param options.storage that of the client: it keeps how often each key was used
 */
export function webCryptoCipher({
  keys,
  storage,
}: {
  keys: ConversationKeys;
  storage: Pick<Storage, 'entries'>;
}): Cipher {
  const counts = new Map<string, number>();

  const readCount = async (countKey: string): Promise<void> => {
    if (counts.has(countKey)) return;
    const stored = (await storage.entries(countKey)).find(([key]) => key === countKey);
    // Others that encrypt at the same time may have read it meanwhile, and gone on counting.
    if (!counts.has(countKey)) counts.set(countKey, Number(stored?.[1] ?? 0));
  };

  return {
    async encrypt(plaintext, context) {
      // JavaScript gives anything, and what has no length would be sealed as nothing.
      if (!(plaintext instanceof Uint8Array)) throw new TypeError('the content is no string or Uint8Array');
      const { keyId, key } = await keys.current(context.conversationId);
      const countKey = `${COUNT_PREFIX}${context.conversationId}/${keyId}`;
      await readCount(countKey);
      const count = (counts.get(countKey) ?? 0) + 1;
      if (count > ENCRYPTIONS_MAX) {
        throw new SanctumError('key_exhausted', 'this device has used the key as often as it may: change it');
      }
      // Counted before it is used: a message that is not stored in the end has used its nonce all the same.
      counts.set(countKey, count);
      const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const additionalData = associatedData(context, keyId);
      const sealed = await crypto.subtle.encrypt(
        { name: 'AES-GCM', iv, additionalData },
        key,
        pad(plaintext),
      );
      const ciphertext = new Uint8Array(NONCE_BYTES + sealed.byteLength);
      ciphertext.set(iv);
      ciphertext.set(new Uint8Array(sealed), NONCE_BYTES);
      return { ciphertext, scheme: SCHEME, keyId, store: (tx) => tx.put(countKey, count) };
    },

    async decrypt({ ciphertext, scheme, keyId }, context) {
      if (scheme !== SCHEME || keyId === undefined) throw new Error('the message has another scheme');
      const key = await keys.find(context.conversationId, keyId);
      if (key === undefined) throw new Error('there is no key of this epoch here');
      const iv = ciphertext.slice(0, NONCE_BYTES);
      const additionalData = associatedData(context, keyId);
      const padded = await crypto.subtle.decrypt(
        { name: 'AES-GCM', iv, additionalData },
        key,
        ciphertext.slice(NONCE_BYTES),
      );
      return { plaintext: unpad(new Uint8Array(padded)) };
    },
  };
}

function associatedData(
  { conversationId, sender, messageId }: MessageContext,
  keyId: string,
): Uint8Array<ArrayBuffer> {
  return canonicalBytes(SCHEME, conversationId, sender, messageId, keyId);
}
