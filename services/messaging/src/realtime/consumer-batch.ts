import type { StreamEntry, StreamMessage } from '../ports.ts';
import { keyOf, type RecentBroadcasts } from './consumer-recent.ts';

type Usable = StreamEntry & { readonly content: StreamMessage };

/** A batch of entries, by what is to become of them. */
export interface ConsumerBatch {
  /** Nobody can use them: to the dead-letter table. */
  readonly malformed: readonly StreamEntry[];
  /** Of another epoch: the log has been set back since, or this pod does not know yet that it was. */
  readonly foreign: readonly StreamEntry[];
  /** Broadcast before. */
  readonly repeats: readonly StreamEntry[];
  /** To be broadcast, in the order in which they were read. */
  readonly fresh: readonly Usable[];
  /** The same messages as some of `fresh`: done when those are. */
  readonly twins: readonly StreamEntry[];
}

export function sortBatch(
  entries: readonly StreamEntry[],
  { epoch, recent }: { readonly epoch: number; readonly recent: RecentBroadcasts },
): ConsumerBatch {
  const batch = {
    malformed: [] as StreamEntry[],
    foreign: [] as StreamEntry[],
    repeats: [] as StreamEntry[],
    fresh: [] as Usable[],
    twins: [] as StreamEntry[],
  };
  const keys = new Set<string>();
  for (const entry of entries) {
    if (!isUsable(entry)) batch.malformed.push(entry);
    else if (entry.content.epoch !== epoch) batch.foreign.push(entry);
    else if (recent.has(entry.content)) batch.repeats.push(entry);
    else if (keys.has(keyOf(entry.content))) batch.twins.push(entry);
    else {
      keys.add(keyOf(entry.content));
      batch.fresh.push(entry);
    }
  }
  return batch;
}

function isUsable(entry: StreamEntry): entry is Usable {
  return entry.content !== undefined;
}
