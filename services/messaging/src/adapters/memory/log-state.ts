import { createHash } from 'node:crypto';
import type { Sealed } from '../../sealed.ts';

/** A row of the outbox. Never changed in place: an update puts a changed copy into its place. */
export interface StoredMessage {
  readonly id: number;
  readonly eventId: string;
  readonly messageId: string;
  readonly eventType: string;
  readonly conversationId: string;
  readonly seq: number;
  readonly payload: Sealed;
  readonly sizeBytes: number;
  readonly status: 'pending' | 'sent' | 'dead';
  readonly attempts: number;
  readonly occurredAt: number;
  readonly dispatchedAt: number | undefined;
  readonly lastError: string | undefined;
  readonly replayNo: number;
  readonly bucket: number;
  readonly membersVersion: number;
  /** undefined: an operator's row. */
  readonly contentHash: string | undefined;
  readonly nextAttemptAt: number | undefined;
}

export interface StoredMember {
  readonly role: 'owner' | 'member';
  readonly joinedSeq: number;
  readonly leftSeq: number | undefined;
  readonly changedVersion: number;
}

/** A conversation's counter row, with its members and its messages by seq. */
export interface StoredConversation {
  readonly conversationId: string;
  lastSeq: number;
  floorSeq: number;
  membersVersion: number;
  owner: string | undefined;
  createdHash: string | undefined;
  lastOccurredAt: number | undefined;
  readonly members: Map<string, StoredMember>;
  readonly messages: Map<number, StoredMessage>;
  readonly seqByMessageId: Map<string, number>;
}

export interface StoredUser {
  version: number;
  conversationCount: number;
}

/** The whole log: what a database holds, in plain maps. Every method is one transaction. */
export class LogState {
  epoch = 1;
  nextId = 1;
  readonly conversations = new Map<string, StoredConversation>();
  readonly users = new Map<string, StoredUser>();
  /** The pending rows, by id: the dispatchers' index. */
  readonly pending = new Map<number, { readonly conversationId: string; readonly seq: number }>();

  newConversation(conversationId: string): StoredConversation {
    const conversation: StoredConversation = {
      conversationId,
      lastSeq: 0,
      floorSeq: 0,
      membersVersion: 0,
      owner: undefined,
      createdHash: undefined,
      lastOccurredAt: undefined,
      members: new Map(),
      messages: new Map(),
      seqByMessageId: new Map(),
    };
    this.conversations.set(conversationId, conversation);
    return conversation;
  }

  /** Gives a message its place: the next seq of its conversation, and the next id of all. */
  append(
    conversation: StoredConversation,
    fields: Pick<
      StoredMessage,
      'eventId' | 'messageId' | 'eventType' | 'payload' | 'occurredAt' | 'contentHash'
    >,
  ): StoredMessage {
    const { conversationId } = conversation;
    conversation.lastSeq += 1;
    conversation.lastOccurredAt = fields.occurredAt;
    const message: StoredMessage = {
      ...fields,
      conversationId,
      id: this.nextId,
      seq: conversation.lastSeq,
      sizeBytes: Buffer.byteLength(fields.payload.reveal()),
      status: 'pending',
      attempts: 0,
      dispatchedAt: undefined,
      lastError: undefined,
      replayNo: 0,
      bucket: bucketOf(conversationId),
      membersVersion: conversation.membersVersion,
      nextAttemptAt: undefined,
    };
    this.nextId += 1;
    conversation.seqByMessageId.set(message.messageId, message.seq);
    this.put(message);
    return message;
  }

  /** Stores a row as it is now. */
  put(message: StoredMessage): void {
    const { id, conversationId, seq } = message;
    this.conversations.get(conversationId)!.messages.set(seq, message);
    if (message.status === 'pending') this.pending.set(id, { conversationId, seq });
    else this.pending.delete(id);
  }

  remove(message: StoredMessage): void {
    const conversation = this.conversations.get(message.conversationId)!;
    conversation.messages.delete(message.seq);
    conversation.seqByMessageId.delete(message.messageId);
    this.pending.delete(message.id);
  }

  /** Pending rows in the order of their ids. */
  pendingMessages(): StoredMessage[] {
    return [...this.pending.keys()]
      .sort((a, b) => a - b)
      .map((id) => {
        const { conversationId, seq } = this.pending.get(id)!;
        return this.conversations.get(conversationId)!.messages.get(seq)!;
      });
  }

  /** Counts `delta` conversations more for a user, and raises the version that pods compare. */
  touchUser(userId: string, delta: number): void {
    const user = this.users.get(userId) ?? { version: 0, conversationCount: 0 };
    this.users.set(userId, { version: user.version + 1, conversationCount: user.conversationCount + delta });
  }

  copy(): LogState {
    const copy = new LogState();
    copy.epoch = this.epoch;
    copy.nextId = this.nextId;
    for (const [id, conversation] of this.conversations) {
      copy.conversations.set(id, {
        ...conversation,
        members: new Map(conversation.members),
        messages: new Map(conversation.messages),
        seqByMessageId: new Map(conversation.seqByMessageId),
      });
    }
    for (const [id, user] of this.users) copy.users.set(id, user);
    for (const [id, place] of this.pending) copy.pending.set(id, place);
    return copy;
  }
}

/** As messaging.bucket_of(): the first byte of the id's MD5, modulo 64. */
export function bucketOf(conversationId: string): number {
  return createHash('md5').update(conversationId).digest()[0]! % 64;
}
