/**
 * Base64 as the contract has it: the standard alphabet, padded, canonical (unused bits are zero), without
 * white space. One text for each byte string, so equal ciphertexts are equal texts.
 */

const PADDING = '='.charCodeAt(0);

/** Whether a text is what its bytes are written as. The browser's `atob` forgives white space and missing padding. */
export function isCanonicalByAtob(text: string): boolean {
  return latin1Of(text) !== undefined;
}

/**
 * Whether a value is padded, canonical base64. The empty text is: it names zero bytes. The service asks this of every
 * message: for a full payload of 87 kB a Buffer takes 21 µs of CPU, `atob` and `btoa` 53 µs, a regular expression 1 ms.
 */
export function isCanonicalBase64(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  if (typeof globalThis.Buffer !== 'function') return isCanonicalByAtob(value);
  // Buffer reads much else as base64, but writes only the canonical text.
  return value.length % 4 === 0 && Buffer.from(value, 'base64').toString('base64') === value;
}

/** How many bytes a canonical base64 text names, from its length alone. */
export function base64ByteLength(text: string): number {
  return (text.length / 4) * 3 - paddingOf(text);
}

/** The bytes of a canonical base64 text; undefined for any other text. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  const latin1 = latin1Of(text);
  if (latin1 === undefined) return undefined;
  const bytes = new Uint8Array(latin1.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = latin1.charCodeAt(i);
  return bytes;
}

/** The canonical base64 text of some bytes. */
export function encodeBase64(bytes: Uint8Array): string {
  let latin1 = '';
  for (const byte of bytes) latin1 += String.fromCharCode(byte);
  return btoa(latin1);
}

/** The bytes of a canonical text as characters. */
function latin1Of(text: string): string | undefined {
  try {
    const latin1 = atob(text);
    return btoa(latin1) === text ? latin1 : undefined;
  } catch {
    return undefined;
  }
}

function paddingOf(text: string): number {
  if (text.charCodeAt(text.length - 1) !== PADDING) return 0;
  return text.charCodeAt(text.length - 2) === PADDING ? 2 : 1;
}
