import { CursorBook, type CursorSnapshot } from './cursor-book.ts';

/**
 * Where two connections of a device overlap: what the older one did to the book since the newer one said hello, and
 * the newer one cannot know. Conversations came, went, were left and joined again, or were set back; all else comes
 * on it, too, and the book drops what it has. Each of these, perhaps twice, is to be subscribed to again on the newer
 * one, from the book's cursor, or where there is none from this one: it goes on from there, or is refused where it is
 * not the user's any more. Nothing where the epoch changed: a `reset` follows.
 */
export function reseatsOf(said: CursorSnapshot, book: CursorBook): CursorSnapshot['conversations'] {
  if (said.epoch !== book.epoch) return [];
  const then = new CursorBook(said);
  return [...said.conversations, ...book.snapshot().conversations].filter(
    ({ conversationId: id, membersVersion }) =>
      // Where either has no cursor the comparison is false.
      !(book.cursorOf(id)! >= then.cursorOf(id)! && book.stateOf(id).membersVersion === membersVersion),
  );
}
