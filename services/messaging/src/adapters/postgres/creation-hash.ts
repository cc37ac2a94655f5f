import { createHash } from 'node:crypto';

/**
 * Recognises the same creation of a conversation sent again: SHA-256 over the owner and the distinct members in
 * byte order, each behind its length, so that no two lists run together into one text.
 */
export function creationHash(owner: string, members: readonly string[]): Buffer {
  const hash = createHash('sha256').update('sanctum conversation 1\0');
  for (const text of [owner, ...members]) {
    const bytes = Buffer.from(text, 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  return hash.digest();
}

/** Owner and members, each once, by their bytes: the order in which every transaction locks users. */
export function distinctMembers(owner: string, members: readonly string[]): string[] {
  return [...new Set([owner, ...members])].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
