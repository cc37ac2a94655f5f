/**
 * What the stages need of the world, in the order in which a message meets it. Every port has two
 * implementations, adapters/postgres or adapters/redis for service and adapters/memory for the simulation,
 * and one contract suite that both pass (tests/contract).
 *
 * Conversation, message and event ids are lower-case UUIDs. `seq` and versions are integers up to 2^53−1.
 * Times are milliseconds since the Unix epoch. A method that fails rejects with a `Fault` (errors.ts).
 */
import type { Sealed } from './sealed.ts';

// ── The log (Postgres) ──────────────────────────────────────────────────────────────────────────────────

/** A committed message, as every reader of the log sees it. */
export interface LogMessage {
  readonly conversationId: string;
  readonly seq: number;
  readonly messageId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly occurredAt: number;
  /** The conversation's members_version when the message was committed. */
  readonly membersVersion: number;
  /** How often an operator has had it sent again. */
  readonly replayNo: number;
  readonly payload: Sealed;
}

/** One message that intake wants to append. */
export interface AppendRequest {
  readonly conversationId: string;
  readonly messageId: string;
  readonly eventId: string;
  readonly sender: string;
  readonly payload: Sealed;
  /** SHA-256 over sender, conversation, decoded bytes, scheme and key_id; 32 bytes. */
  readonly contentHash: Buffer;
}

export type AppendOutcome =
  | {
      readonly kind: 'accepted' | 'duplicate';
      readonly seq: number;
      readonly occurredAt: number;
      readonly epoch: number;
    }
  /** `message_id` names another message of this conversation (told to members only). */
  | { readonly kind: 'reused' }
  /** No such conversation, or the sender is not in it: the two are never told apart. */
  | { readonly kind: 'not_member' }
  /** Somebody else holds the conversation's counter; nothing was written. Never with `waitForLock`. */
  | { readonly kind: 'busy' };

export interface IntakeLog {
  /**
   * Appends a group in one transaction; outcomes stand in the order of the requests. No
   * (conversation, message) may stand in it twice. Either all of the accepted are committed or the call
   * rejects: with a retryable Fault (`contention`: deadlock, lock timeout, serialization; `unavailable`) or with
   * `bad_row` when some request can never be stored.
   */
  append(
    requests: readonly AppendRequest[],
    options: { readonly waitForLock: boolean },
  ): Promise<AppendOutcome[]>;
}

export interface ConversationView {
  readonly conversationId: string;
  readonly head: number;
  /** The lowest seq that this user may read. */
  readonly min: number;
  readonly joinedSeq: number;
  readonly membersVersion: number;
  readonly lastOccurredAt: number | undefined;
}

export interface MemberView {
  readonly userId: string;
  readonly role: 'owner' | 'member';
  readonly joinedSeq: number;
}

/** Who asks. `manage` is the scope messaging:manage, `operate` the scope messaging:operate. */
export interface Actor {
  readonly userId: string;
  readonly manage: boolean;
  readonly operate: boolean;
}

export type CreateOutcome =
  | { readonly kind: 'created' | 'same'; readonly head: number; readonly membersVersion: number }
  | { readonly kind: 'conversation_exists' | 'too_many_conversations' };

export type AddMemberOutcome =
  | { readonly kind: 'added' | 'present'; readonly joinedSeq: number; readonly membersVersion: number }
  | {
      readonly kind: 'conversation_not_found' | 'not_owner' | 'conversation_full' | 'too_many_conversations';
    };

export type RemoveMemberOutcome =
  { readonly kind: 'removed' | 'absent' } | { readonly kind: 'conversation_not_found' | 'not_owner' };

export interface ConversationLog {
  /** `members` need not hold the owner, nor be distinct. */
  createConversation(request: {
    conversationId: string;
    owner: string;
    members: readonly string[];
  }): Promise<CreateOutcome>;
  addMember(request: { conversationId: string; actor: Actor; userId: string }): Promise<AddMemberOutcome>;
  removeMember(request: {
    conversationId: string;
    actor: Actor;
    userId: string;
  }): Promise<RemoveMemberOutcome>;
  /** The user's present conversations by ascending id, behind `after`. */
  listConversations(request: {
    userId: string;
    after: string | undefined;
    limit: number;
  }): Promise<ConversationView[]>;
  /** `undefined`: unknown, or the actor is neither a present member nor an operator. An operator's joinedSeq is 1. */
  getConversation(request: {
    conversationId: string;
    actor: Actor;
  }): Promise<(ConversationView & { memberCount: number }) | undefined>;
  /** Present members by ascending user id (bytes), behind `after`; `undefined` as in getConversation. */
  listMembers(request: {
    conversationId: string;
    actor: Actor;
    after: string | undefined;
    limit: number;
  }): Promise<MemberView[] | undefined>;
}

// ── Reading the log ─────────────────────────────────────────────────────────────────────────────────────

/** What a reader does with a row: deliver it, wait at it, or announce a gap. */
export type LogRow =
  | { readonly state: 'ready'; readonly seq: number; readonly message: LogMessage }
  /** `pending` with attempts: served to nobody until it is sent or dead, nor is anything behind it. */
  | { readonly state: 'retrying'; readonly seq: number }
  /** `dead`, or too large for a frame whatever its status. */
  | { readonly state: 'dead'; readonly seq: number };

export interface PageRequest {
  readonly conversationId: string;
  /** Rows with seq > after. */
  readonly after: number;
  /** At most so many rows. */
  readonly limit: number;
  /** Stop before the sum of payload sizes passes this, but give at least one row. */
  readonly maxBytes: number;
}

/** Rows, head and floor of one snapshot. */
export interface LogPage {
  readonly epoch: number;
  readonly head: number;
  /** Everything up to and including `floor` has expired; no row at or below it is in `rows`. */
  readonly floor: number;
  readonly membersVersion: number;
  /** Ascending by seq, all above max(after, floor). A missing seq is missing in the log. */
  readonly rows: readonly LogRow[];
  /** Nothing between the last row (or `after`) and `head` was left out for `limit` or `maxBytes`. */
  readonly complete: boolean;
}

export interface ReplayRequest {
  readonly conversationId: string;
  /** The window, inclusive. */
  readonly from: number;
  readonly to: number;
  readonly limit: number;
  readonly maxBytes: number;
}

export interface ReplayPage {
  /** Ready rows of the window with replayNo ≥ 1, ascending. */
  readonly messages: readonly LogMessage[];
  /** The window is done when nothing was left out; else it goes on behind the last message. */
  readonly complete: boolean;
}

export interface ConversationHead {
  readonly head: number;
  readonly floor: number;
  readonly membersVersion: number;
}

export interface HeadsAnswer {
  readonly epoch: number;
  /** Conversations that do not exist are left out. */
  readonly heads: ReadonlyMap<string, ConversationHead>;
}

/** One membership of a user, present or past. */
export interface Membership {
  readonly conversationId: string;
  readonly joinedSeq: number;
  /** undefined: present. */
  readonly leftSeq: number | undefined;
  /** The conversation's members_version made by this membership's last change. */
  readonly changedVersion: number;
}

/** Version and memberships of a user, of one snapshot. */
export interface UserSnapshot {
  readonly version: number;
  /** Present memberships, each with its conversation's head and floor; with `withLeft` also those that ended lately. */
  readonly memberships: readonly (Membership & ConversationHead & { readonly present: boolean })[];
}

/** Members of a conversation among the given users, of one snapshot with the conversation's version. */
export interface MembersAnswer {
  readonly membersVersion: number;
  readonly head: number;
  /** userId → membership, present or past; a user who was never a member is left out. */
  readonly members: ReadonlyMap<string, Membership>;
}

/** Everything the hub, history and catch-up read. All of it on the primary. */
export interface ReaderLog {
  /** In the order of the requests; `undefined` where the conversation does not exist. One round trip. */
  readPages(requests: readonly PageRequest[]): Promise<(LogPage | undefined)[]>;
  readReplays(requests: readonly ReplayRequest[]): Promise<ReplayPage[]>;
  readHeads(conversationIds: readonly string[]): Promise<HeadsAnswer>;
  /** Users without any state have version 0 and no memberships. In the order asked. */
  readUsers(
    userIds: readonly string[],
    options: { readonly withLeft: boolean },
  ): Promise<{ epoch: number; users: UserSnapshot[] }>;
  readUserVersions(userIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** In the order of the requests; `undefined` where the conversation does not exist. */
  readMembers(
    requests: readonly { conversationId: string; userIds: readonly string[] }[],
  ): Promise<(MembersAnswer | undefined)[]>;
  readEpoch(): Promise<number>;
}

// ── Dispatching ─────────────────────────────────────────────────────────────────────────────────────────

/** A row that a dispatcher has claimed. */
export interface OutboxRow {
  readonly id: string;
  readonly bucket: number;
  readonly attempts: number;
  /** undefined: the payload is too large for a frame. */
  readonly message: LogMessage | undefined;
}

/** What became of a claimed row. */
export type Verdict =
  | { readonly kind: 'sent' }
  /** Not tried, or an outage: stays pending, no attempt is spent. */
  | { readonly kind: 'untouched' }
  /** Failed for its own sake: attempts + 1, parked for parkMs. `error` holds no content. */
  | { readonly kind: 'failed'; readonly error: string; readonly parkMs: number }
  | { readonly kind: 'dead'; readonly error: string };

export interface DispatchRound {
  readonly picked: number;
  readonly sent: number;
  readonly failed: number;
  readonly dead: number;
  /** Buckets that another dispatcher owns now, ascending: nothing of them was claimed. */
  readonly busy: readonly number[];
  /** Buckets that may have more rows, ascending. */
  readonly full: readonly number[];
}

/**
 * When a bucket's recent rows go on the stream once more. Due in another life of the server than the bucket was served
 * in before, at once and once for all dispatchers; a bucket that was never served takes the first life that it sees.
 * Due as well after a reconnect to the same life, unless it was done less than `everyMs` ago. Which rows: those that
 * were dispatched up to `withinMs` before the loss. Of another life nothing was dispatched before its bucket was sent
 * again, so what was dispatched last, if that was within `downMaxMs`, was dispatched before the loss; in the same life
 * the loss was `downMs` ago.
 */
export interface ResendRule {
  readonly life: string;
  readonly reconnected: boolean;
  readonly withinMs: number;
  readonly downMs: number;
  readonly downMaxMs: number;
  readonly everyMs: number;
}

export interface DispatchLog {
  /** Buckets (0…63) with a pending row whose conversation is not parked. */
  pendingBuckets(): Promise<number[]>;
  /**
   * Owns those of the buckets that are free, claims up to `limit` of their pending rows, an equal share of it from
   * each, leaving out parked conversations, and, while the buckets are owned, has the rows published, ordered by
   * bucket and id, and records the verdicts (one for each row, in order). The buckets are distinct, and no more
   * than `limit`. `publish` is not called where there is no row.
   * A row that an operator set to pending again meanwhile stays pending.
   * When `publish` rejects, nothing is recorded and the call rejects with its error.
   */
  dispatchBuckets(
    buckets: readonly number[],
    options: { readonly limit: number },
    publish: (rows: readonly OutboxRow[], epoch: number) => Promise<readonly Verdict[]>,
  ): Promise<DispatchRound>;
  /**
   * Has the rows of a bucket that were dispatched last published once more, in order, without touching
   * them, where that is due (`ResendRule`). Returns how many; undefined: another dispatcher owns the bucket now.
   */
  resendBucket(
    bucket: number,
    rule: ResendRule,
    publish: (rows: readonly OutboxRow[], epoch: number) => Promise<void>,
  ): Promise<number | undefined>;
  /** The backlog's gauges. */
  backlog(): Promise<{ pending: number; oldestPendingSeconds: number; deadRows: number }>;
}

// ── The stream (Redis) ──────────────────────────────────────────────────────────────────────────────────

/** What the dispatcher puts on the stream; adapters/redis/stream-entry.ts knows its fields. */
export interface StreamMessage {
  readonly epoch: number;
  readonly resent: boolean;
  readonly message: LogMessage;
}

/** How an append ended: `appended` entries, the first ones, are on the stream. */
export interface StreamAppend {
  readonly appended: number;
  /**
   * outage: Redis unreachable, loading, read-only, out of memory, slow: no entry's fault.
   * connection: the connection broke during the call: perhaps an outage, perhaps the next entry's fault.
   * entry: Redis refused entry number `appended` for its own sake.
   */
  readonly failure?: { readonly kind: 'outage' | 'connection' | 'entry'; readonly reason: string };
}

/** The server that a connection leads to. */
export interface StreamServer {
  /** Another one after a restart or a failover, when what was acknowledged may be gone. */
  readonly life: string;
  /** There was a connection before this one. */
  readonly reconnected: boolean;
  /** How long there was none. */
  readonly downMs: number;
}

export interface StreamWriter {
  /** Redis is known to be down: no transaction is worth opening. */
  readonly available: boolean;
  /** Appends in order, stopping at the first failure. Never rejects. */
  append(partition: number, entries: readonly StreamMessage[]): Promise<StreamAppend>;
  /** Whether a fresh command is answered now: tells an outage from a poison row. */
  ping(): Promise<boolean>;
  /** `listener` is called with each connection, the first one included: behind it Redis may have lost entries. */
  onConnected(listener: (server: StreamServer) => void): void;
}

/** An entry read from the stream. */
export interface StreamEntry {
  readonly stream: string;
  readonly entryId: string;
  /** undefined: malformed, see `reason`. */
  readonly content: StreamMessage | undefined;
  readonly reason: string | undefined;
  /** How often it was handed out, 1 the first time; known for claimed and own pending entries. */
  readonly deliveries: number;
  /** For the dead-letter table, as far as the entry says; `fields` may hold ciphertext. */
  readonly fields: Sealed;
  readonly eventId: string | undefined;
  readonly conversationId: string | undefined;
  readonly occurredAt: string | undefined;
}

export interface StreamReader {
  /** Waits up to the block time for new entries of every partition; [] when none came. Makes the group if missing. */
  readNew(signal: AbortSignal): Promise<StreamEntry[]>;
  /** This consumer's own pending entries that were handed out before, from the oldest; [] when there are none (left). */
  readOwnPending(after: ReadonlyMap<string, string> | undefined): Promise<StreamEntry[]>;
  /** Takes over entries that others have had for longer than the claim's idle time. */
  claimIdle(): Promise<StreamEntry[]>;
  /** XACK; returns how many Redis acknowledged. */
  acknowledge(entries: readonly StreamEntry[]): Promise<number>;
  /** Figures of the group over all partitions; `length` and `unread` are those of the partition with the most. */
  figures(): Promise<{
    pending: number;
    oldestUnreadSeconds: number;
    trimmedUnread: number;
    length: number;
    unread: number;
  }>;
  /** Called after a connection was lost and made again: entries whose reply was lost wait in the own pending list. */
  onReconnect(listener: () => void): void;
}

/** Stream entries that no consumer can use, in messaging.message_dlq. */
export interface DeadLetterLog {
  recordMalformed(entries: readonly StreamEntry[], group: string): Promise<void>;
}

// ── The bus (Redis Pub/Sub) ─────────────────────────────────────────────────────────────────────────────

/** Channels are named by what they carry; the adapter adds the installation's own id. */
export type Channel = `c:${string}` | `u:${string}` | 'wake' | 'control';

export interface BusMessage {
  readonly channel: Channel;
  readonly bytes: Buffer;
}

/** Publishing: best effort is enough, since every reader repairs what the bus loses. */
export interface BusPublisher {
  /** Resolves when Redis has taken all of them; rejects when it may not have. */
  publish(messages: readonly BusMessage[]): Promise<void>;
}

export interface BusSubscriber {
  /** Subscriptions are being served now. */
  readonly connected: boolean;
  /** Resolves when every subscription is confirmed on the present connection; rejects when that was lost. */
  subscribe(channels: readonly Channel[]): Promise<void>;
  unsubscribe(channels: readonly Channel[]): Promise<void>;
  onMessage(listener: (channel: Channel, bytes: Buffer) => void): void;
  /** The connection is gone, and every subscription with it. The hub subscribes again, in its own order and pace. */
  onLost(listener: () => void): void;
  /** A (new) connection is ready for subscriptions; there are none on it. */
  onReady(listener: () => void): void;
}
