/**
 * Base64 as the contract has it: the standard alphabet, padded, canonical (unused bits are zero), without
 * white space. One text for each byte string, so equal ciphertexts are equal texts.
 *
 * Node's Buffer checks a full payload of 87 kB in 20 µs, `atob` and `btoa` in 380 µs, a regular expression in
 * 410 µs; so Buffer does it where there is one, and the other two in browsers.
 */

interface Base64Codec {
  isCanonical(text: string): boolean;
  decode(canonical: string): Uint8Array<ArrayBuffer>;
  encode(bytes: Uint8Array): string;
}

const PADDING = '='.charCodeAt(0);

/** Runs anywhere. The browser's own functions forgive white space and missing padding, but write only the canonical. */
export const portableBase64: Base64Codec = {
  isCanonical(text) {
    try {
      return btoa(atob(text)) === text;
    } catch {
      return false;
    }
  },
  decode(text) {
    const latin1 = atob(text);
    const bytes = new Uint8Array(latin1.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = latin1.charCodeAt(i);
    return bytes;
  },
  encode(bytes) {
    let latin1 = '';
    for (const byte of bytes) latin1 += String.fromCharCode(byte);
    return btoa(latin1);
  },
};

/** Runs where there is a Buffer. Buffer reads much else as base64, but writes only the canonical text. */
const nodeBase64: Base64Codec = {
  isCanonical: (text) => text.length % 4 === 0 && Buffer.from(text, 'base64').toString('base64') === text,
  decode: (text) => new Uint8Array(Buffer.from(text, 'base64')),
  encode: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
};

const codec = typeof globalThis.Buffer === 'function' ? nodeBase64 : portableBase64;

/** Whether a value is padded, canonical base64. The empty text is: it names zero bytes. */
export function isCanonicalBase64(value: unknown): value is string {
  return typeof value === 'string' && codec.isCanonical(value);
}

/** How many bytes a canonical base64 text names, from its length alone. */
export function base64ByteLength(text: string): number {
  return (text.length / 4) * 3 - paddingOf(text);
}

/** The bytes of a canonical base64 text; undefined for any other text. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  return codec.isCanonical(text) ? codec.decode(text) : undefined;
}

/** The canonical base64 text of some bytes. */
export function encodeBase64(bytes: Uint8Array): string {
  return codec.encode(bytes);
}

function paddingOf(text: string): number {
  if (text.charCodeAt(text.length - 1) !== PADDING) return 0;
  return text.charCodeAt(text.length - 2) === PADDING ? 2 : 1;
}
