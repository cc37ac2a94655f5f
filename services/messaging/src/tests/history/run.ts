import type { ConnectEvent } from './client-events.ts';
import { EpochBook } from './epochs.ts';
import type { FinalState } from './final-state.ts';
import type { HistoryEventOf } from './history.ts';
import type { Connection, Conversation, Member, Message, Operation, Post, Reader, Span } from './model.ts';

/** The run as far as the history has been read. Judges look at it; only follow-*.ts change it. */
export class Run {
  readonly epochs = new EpochBook();
  readonly conversations = new Map<string, Conversation>();
  readonly connections = new Map<string, Connection>();
  readonly posts = new Map<string, Post>();
  readonly operations = new Map<string, Operation>();
  readonly faults: Span[] = [];
  seesCommits = false;
  seesExpiry = false;
  observedSince: number | undefined;
  endedAt: number | undefined;
  deliveries = 0;
  events = 0;

  conversation(id: string): Conversation {
    const known = this.conversations.get(id);
    if (known !== undefined) return known;
    const conversation: Conversation = {
      id,
      messages: new Map(),
      books: new Map(),
      members: new Map(),
      readers: new Set(),
      known: { epoch: 0, seq: 0 },
      lastPostAt: -Infinity,
    };
    this.conversations.set(id, conversation);
    return conversation;
  }

  message(conversation: Conversation, id: string): Message {
    const known = conversation.messages.get(id);
    if (known !== undefined) return known;
    const message: Message = {
      id,
      conversation,
      hash: undefined,
      otherHashes: undefined,
      attempts: 0,
      refused: 0,
      refusedWith: undefined,
      firstPostedAt: Infinity,
      committedAt: undefined,
      answers: undefined,
      epoch: 0,
      seq: 0,
      seenAt: undefined,
      seenHash: undefined,
      taken: undefined,
    };
    conversation.messages.set(id, message);
    return message;
  }

  member(conversation: Conversation, userId: string): Member {
    const known = conversation.members.get(userId);
    if (known !== undefined) return known;
    const member: Member = {
      userId,
      adds: [],
      removals: [],
      plainJoinedSeq: undefined,
      unsure: false,
      sent: { epoch: 0, seq: 0 },
    };
    conversation.members.set(userId, member);
    return member;
  }

  connection(id: string): Connection {
    const connection = this.connections.get(id);
    if (connection === undefined) throw new Error(`the history has no connect of connection ${id}`);
    return connection;
  }

  open(connect: ConnectEvent): Connection {
    const connection: Connection = {
      id: connect.connection,
      connect,
      hello: undefined,
      readyAt: undefined,
      epoch: 0,
      credit: Infinity,
      received: 0,
      acknowledged: 0,
      wasReset: false,
      closedAt: undefined,
      readers: new Map(),
    };
    this.connections.set(connection.id, connection);
    return connection;
  }

  reader(connection: Connection, conversationId: string): Reader {
    const known = connection.readers.get(conversationId);
    if (known !== undefined) return known;
    const conversation = this.conversation(conversationId);
    const reader: Reader = {
      connection,
      conversation,
      // An operator reads what nobody let him into.
      member: connection.connect.operator ? undefined : this.member(conversation, connection.connect.userId),
      cursor: undefined,
      movedAt: connection.readyAt ?? connection.connect.at,
      seatedAt: -Infinity,
      removed: false,
      unsubscribed: false,
      disturbed: false,
      asked: undefined,
    };
    connection.readers.set(conversationId, reader);
    conversation.readers.add(reader);
    return reader;
  }

  post(event: HistoryEventOf<'post_ok' | 'post_fail' | 'post_unknown'>): Post {
    const post = this.posts.get(event.post);
    if (post === undefined) throw new Error(`the history has no post ${event.post}`);
    return post;
  }

  /** Whether some fault was there at any time of a span. */
  wasFaulty(from: number, to: number): boolean {
    return this.faults.some((fault) => fault.from <= to && fault.to >= from);
  }

  /** When the last fault was gone; Infinity while one is not. */
  faultsEndedAt(): number {
    return this.faults.reduce((last, { to }) => Math.max(last, to), -Infinity);
  }

  /** Whether an operator's command of a kind, begun before a time, may have touched a place. */
  wasTouched(kind: Operation['kind'], conversationId: string, seq: number, before = Infinity): boolean {
    for (const operation of this.operations.values()) {
      if (operation.kind !== kind || operation.failed || operation.invokedAt > before) continue;
      for (const [id, from, to] of operation.places ?? []) {
        if (id === conversationId && from <= seq && seq <= to) return true;
      }
    }
    return false;
  }

  /** Whether what is at a place was posted for the first time after `at`; false where nobody knows. */
  isYounger(place: { conversationId: string; epoch: number; seq: number }, at: number): boolean {
    const { conversationId, epoch, seq } = place;
    const message = this.conversations.get(conversationId)?.books.get(epoch)?.[seq];
    return message !== undefined && message.attempts > 0 && message.firstPostedAt > at;
  }

  /** Whether the final log need not hold a place any more: set back, expired, or deleted by hand. */
  isGone(final: FinalState, place: { conversationId: string; epoch: number; seq: number }): boolean {
    const { conversationId, epoch, seq } = place;
    if (seq > this.epochs.survivors(conversationId, epoch, final.epoch)) return true;
    if (seq <= (final.conversations.get(conversationId)?.floor ?? 0)) return true;
    return this.wasTouched('delete_row', conversationId, seq);
  }
}
