import { decodeBase64, encodeBase64, isKeyId } from '@sanctum/protocol';
import { deriveKey, newSecret, SECRET_BYTES, type ConversationKeys, type SymmetricKey } from './key-ring.ts';

/** The name of the key epoch where a line gives none. */
const KEY_ID_DEFAULT = '1';

/** A line of a key file, with a new secret unless one is given. @throws TypeError for a wrong secret or key id */
export function keyLine(keyId: string = KEY_ID_DEFAULT, secret: Uint8Array = newSecret()): string {
  if (secret.length !== SECRET_BYTES) throw new TypeError(`a secret has ${SECRET_BYTES} bytes`);
  if (!isKeyId(keyId)) throw new TypeError('a key id has 1 to 64 of A-Z a-z 0-9 . _ : -');
  return `${keyId} ${encodeBase64(secret)}`;
}

/**
 * The keys of a key file: text that the members of some conversations share. Each line is a key epoch and its secret,
 * as `2026-03 q83vEjRWeJA…`; the secret is 32 bytes in base64, and alone it is of the epoch `1`, so that
 * `openssl rand -base64 32` makes a key file. The last line is sent with, all of them are read with. Empty lines, and
 * those that begin with `#`, are left out. Every conversation has keys of its own, derived from these secrets.
 * @throws TypeError that names the line, never what stands in it
 */
export function parseKeyFile(text: string): ConversationKeys {
  const secrets = new Map<string, Uint8Array<ArrayBuffer>>();
  let newest: string | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.trim().split(/\s+/);
    if (words[0] === '' || words[0]?.startsWith('#')) continue;
    const [keyId, base64] = words.length === 1 ? [KEY_ID_DEFAULT, words[0]] : words;
    const secret = decodeBase64(base64 ?? '');
    if (words.length > 2 || !isKeyId(keyId) || secret?.length !== SECRET_BYTES) {
      throw new TypeError(
        `line ${index + 1} is not a key: a key id, a space, ${SECRET_BYTES} bytes in base64`,
      );
    }
    if (secrets.has(keyId)) throw new TypeError(`line ${index + 1} names a key id for the second time`);
    secrets.set(keyId, secret);
    newest = keyId;
  }
  if (newest === undefined) throw new TypeError('there is no key in it');
  const current = newest;

  const find = (conversationId: string, keyId: string): Promise<SymmetricKey> | undefined => {
    const secret = secrets.get(keyId);
    return secret && deriveKey(secret, { conversationId, keyId });
  };
  return {
    find,
    async current(conversationId) {
      return { keyId: current, key: (await find(conversationId, current)) as SymmetricKey };
    },
  };
}
