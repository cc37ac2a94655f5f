import type { Cipher, MessageContext, Opened, Sealed, Storage } from '@sanctum/client';
import { webCryptoCipher, type ConversationKeys } from '@sanctum/client/webcrypto';

/** Decrypts where there are keys, and remembers how large a ciphertext was until that is asked for. */
export class SizingCipher implements Cipher {
  readonly #cipher: Cipher | undefined;
  readonly #sizes = new Map<string, number>();

  constructor(keys: ConversationKeys | undefined, storage: Storage) {
    this.#cipher = keys && webCryptoCipher({ keys, storage });
  }

  encrypt(): Promise<Sealed> {
    return Promise.reject(new Error('who follows sends nothing'));
  }

  async decrypt(sealed: Sealed, context: MessageContext): Promise<Opened> {
    this.#sizes.set(context.messageId, sealed.ciphertext.length);
    if (this.#cipher === undefined) throw new Error('there is no key');
    return this.#cipher.decrypt(sealed, context);
  }

  /** The bytes of a message's ciphertext; undefined where it had none. */
  takeSize(messageId: string): number | undefined {
    const size = this.#sizes.get(messageId);
    this.#sizes.delete(messageId);
    return size;
  }
}
