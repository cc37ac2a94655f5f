import type { CursorBook, CursorSnapshot } from '../cursor-book.ts';
import type { SeqRange } from '../cursor-rule.ts';
import { RangeAges, type RangeAge } from './range-ages.ts';
import { OWN_PREFIX, type Storage, type StorageTransaction } from '../storage/storage.ts';

const CURSOR_PREFIX = `${OWN_PREFIX}cursor/`;
const EPOCH_KEY = `${OWN_PREFIX}epoch`;
const STARTED_KEY = `${OWN_PREFIX}started`;

interface StoredCursor {
  readonly cursor: number;
  readonly membersVersion: number;
  readonly openRanges: readonly SeqRange[];
  readonly ages?: readonly RangeAge[];
}

/** What a device stored of its places: one entry for each conversation, so that a message costs one small write. */
export interface StoredPlaces {
  readonly snapshot: CursorSnapshot;
  /** What came up to the first `caught_up` is stored. */
  readonly started: boolean;
  readonly ages: RangeAges;
}

export async function loadPlaces(storage: Storage<never>): Promise<StoredPlaces> {
  let epoch: number | undefined;
  let started = false;
  const ages = new RangeAges();
  const conversations: (StoredCursor & { conversationId: string })[] = [];
  for (const [key, value] of await storage.entries(OWN_PREFIX)) {
    if (key === EPOCH_KEY) epoch = value as number;
    if (key === STARTED_KEY) started = true;
    if (key.startsWith(CURSOR_PREFIX)) {
      const conversationId = key.slice(CURSOR_PREFIX.length);
      const stored = value as StoredCursor;
      conversations.push({ conversationId, ...stored });
      for (const [to, sinceMs] of stored.ages ?? []) ages.note(conversationId, to, sinceMs);
    }
  }
  return { snapshot: { epoch, conversations }, started, ages };
}

/** What must be written for a conversation to be where it stands now, as a function to be called later. */
export function placeWriter(
  book: CursorBook,
  rangeAges: RangeAges,
  conversationId: string,
): (tx: StorageTransaction) => void | Promise<void> {
  const { cursor, membersVersion, openRanges } = book.stateOf(conversationId);
  const key = CURSOR_PREFIX + conversationId;
  if (cursor === undefined) return (tx) => tx.delete(key);
  const ages = rangeAges.of(conversationId, openRanges);
  const value: StoredCursor = { cursor, membersVersion, openRanges, ...(ages.length > 0 && { ages }) };
  return (tx) => tx.put(key, value);
}

export function storeEpoch(tx: StorageTransaction, epoch: number): void | Promise<void> {
  return tx.put(EPOCH_KEY, epoch);
}

export function storeStarted(tx: StorageTransaction): void | Promise<void> {
  return tx.put(STARTED_KEY, true);
}
