/** A UUID of version 7 (RFC 9562): the time first, so that ids made later sort later; the rest is random. */
export function uuidV7(nowMs: number): string {
  const time = Math.floor(nowMs).toString(16).padStart(12, '0');
  // Of version 4, in its place the variant and 74 random bits.
  const random = crypto.randomUUID();
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}
