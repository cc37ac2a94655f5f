/** The log as the run left it. Read from Postgres by read-final-state.ts, or put together by a simulation. */
export interface FinalState {
  readonly epoch: number;
  readonly conversations: ReadonlyMap<string, FinalConversation>;
}

export interface FinalConversation {
  readonly conversationId: string;
  readonly lastSeq: number;
  /** Everything up to and including this has expired. */
  readonly floor: number;
  /** By seq. Dead rows that outlived their partition may lie at or below the floor. */
  readonly rows: ReadonlyMap<number, FinalRow>;
  /** By user id, present and past. */
  readonly members: ReadonlyMap<string, FinalMember>;
}

export interface FinalRow {
  readonly seq: number;
  readonly messageId: string;
  readonly status: 'pending' | 'sent' | 'dead';
  readonly attempts: number;
  readonly replayNo: number;
  /** See payload-hash.ts. */
  readonly hash: string;
  /** Milliseconds since the Unix epoch. */
  readonly occurredAt: number;
  /** No frame holds it: a gap to readers, whatever its status. */
  readonly tooLarge: boolean;
}

export interface FinalMember {
  readonly joinedSeq: number;
  /** undefined: present. */
  readonly leftSeq: number | undefined;
}

/** What a reader does with a row; see `LogRow`. */
export function rowState(row: FinalRow): 'ready' | 'retrying' | 'dead' {
  if (row.status === 'dead' || row.tooLarge) return 'dead';
  return row.status === 'pending' && row.attempts > 0 ? 'retrying' : 'ready';
}

/** Where every reader must be in the end: at the head, or before the first row that is being retried. */
export function lastServed(conversation: FinalConversation): number {
  let last = conversation.lastSeq;
  for (const row of conversation.rows.values()) {
    if (row.seq <= last && row.seq > conversation.floor && rowState(row) === 'retrying') last = row.seq - 1;
  }
  return last;
}
