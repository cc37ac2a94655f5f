const utf8 = new TextEncoder();

/** Texts as bytes, each behind its length: no two lists of texts have the same. */
export function canonicalBytes(...texts: readonly string[]): Uint8Array<ArrayBuffer> {
  const parts = texts.map((text) => utf8.encode(text));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  }
  return bytes;
}
