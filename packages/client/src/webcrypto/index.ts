/**
 * `@sanctum/client/webcrypto`: AES-256-GCM with keys that the members share. Works in browsers (on secure origins)
 * and in Node.
 *
 * What it gives: nobody without the key reads a message, changes it, moves it to another conversation, sender or
 * message id, or learns its exact length. What it does not give: forward secrecy (who gets a key reads everything
 * ever sent with it, so change keys, and forget old ones), protection of members from one another (whoever has the
 * key can write in another member's name, if the server plays along), and any way to hand out keys. For those, use
 * MLS behind the same interface.
 */
export { keyLine, parseKeyFile } from './key-file.ts';
export { ENCRYPTIONS_MAX, SCHEME, webCryptoCipher } from './webcrypto-cipher.ts';
export {
  deriveKey,
  KeyRing,
  newSecret,
  SECRET_BYTES,
  type ConversationKeys,
  type EpochKey,
  type SymmetricKey,
} from './key-ring.ts';
