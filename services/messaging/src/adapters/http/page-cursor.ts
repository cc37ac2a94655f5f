/** `next_cursor`: the last key of a page, opaque to clients, who must not take it for an id. */
export function encodeCursor(key: string): string {
  return Buffer.from(key).toString('base64url');
}

/** The key of a cursor; undefined where it is none of ours. */
export function decodeCursor(cursor: string, isKey: (key: unknown) => key is string): string | undefined {
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  return isKey(key) && encodeCursor(key) === cursor ? key : undefined;
}
