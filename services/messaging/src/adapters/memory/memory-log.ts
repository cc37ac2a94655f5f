import type { Clock } from '../../clock.ts';
import { Fault } from '../../errors.ts';
import { Sealed } from '../../sealed.ts';
import { LogState, type StoredConversation, type StoredMessage } from './log-state.ts';
import { MemoryConversationLog } from './memory-conversation-log.ts';
import { MemoryDeadLetterLog } from './memory-dead-letter-log.ts';
import { MemoryDispatchLog } from './memory-dispatch-log.ts';
import { MemoryIntakeLog } from './memory-intake-log.ts';
import { MemoryReaderLog } from './memory-reader-log.ts';

export interface MemoryLogOptions {
  readonly clock: Clock;
  /** A larger payload fits no frame (`tooLargeAbove` of @sanctum/protocol). */
  readonly payloadLimitBytes: number;
  /**
   * Stands between a caller and the log: a simulation delays a call on its way there or its answer on the way back,
   * or lets it fail. `transaction` runs at one moment, as a whole.
   */
  readonly network?: <T>(transaction: () => T) => Promise<T>;
}

/** What the ports of one log share. `state` is replaced by a restore, so it is never kept across an await. */
export interface MemoryLogContext {
  readonly clock: Clock;
  readonly payloadLimitBytes: number;
  readonly state: LogState;
  /** Conversations whose counter somebody's open transaction holds. */
  readonly heldCounters: ReadonlySet<string>;
  /** Buckets that are owned, each with its owner. */
  readonly heldBuckets: Map<number, object>;
  transact<T>(transaction: () => T): Promise<T>;
}

/** A state of the log to go back to. */
export interface MemoryLogSnapshot {
  readonly state: LogState;
}

/**
 * The log in memory, with the ports of adapters/postgres and what an operator does at a prompt. It passes the
 * same contract suite (tests/contract/log-contract.ts), and with a simulation's clock and network it is as
 * deterministic as they are.
 */
export class MemoryLog {
  readonly intake: MemoryIntakeLog;
  readonly conversations: MemoryConversationLog;
  readonly reader: MemoryReaderLog;
  readonly dispatch: MemoryDispatchLog;
  readonly deadLetters: MemoryDeadLetterLog;
  readonly #clock: Clock;
  readonly #heldCounters = new Set<string>();
  readonly #heldBuckets = new Map<number, object>();
  #state = new LogState();

  constructor(options: MemoryLogOptions) {
    this.#clock = options.clock;
    const network = options.network ?? (async <T>(transaction: () => T) => transaction());
    const currentState = () => this.#state;
    const context: MemoryLogContext = {
      clock: options.clock,
      payloadLimitBytes: options.payloadLimitBytes,
      heldCounters: this.#heldCounters,
      heldBuckets: this.#heldBuckets,
      get state() {
        return currentState();
      },
      transact: (transaction) => network(transaction),
    };
    this.intake = new MemoryIntakeLog(context);
    this.conversations = new MemoryConversationLog(context);
    this.reader = new MemoryReaderLog(context);
    this.dispatch = new MemoryDispatchLog(context);
    this.deadLetters = new MemoryDeadLetterLog(context);
  }

  // ── What an operator does ───────────────────────────────────────────────────────────────────────────

  /** The runbook's INSERT of five columns: no membership is asked for, the conversation need not exist. */
  insertRow(row: {
    conversationId: string;
    messageId: string;
    eventId: string;
    eventType: string;
    payload: string;
  }): StoredMessage {
    const conversation =
      this.#state.conversations.get(row.conversationId) ?? this.#state.newConversation(row.conversationId);
    if (conversation.seqByMessageId.has(row.messageId))
      throw new Fault('bad_row', 'memory: message_id exists');
    return this.#state.append(conversation, {
      eventId: row.eventId,
      messageId: row.messageId,
      eventType: row.eventType,
      payload: new Sealed(row.payload),
      occurredAt: this.#clock.now(),
      contentHash: undefined,
    });
  }

  /** The runbook's UPDATE … SET status = 'pending', attempts = 0, dispatched_at = NULL; returns how many rows. */
  replay(conversationId: string, from = 1, to = Infinity): number {
    const rows = this.#rows(conversationId, from, to);
    for (const row of rows) this.#state.put({ ...toPending(row), dispatchedAt: undefined });
    return rows.length;
  }

  /** UPDATE … SET status = 'pending', attempts = 0, last_error = NULL WHERE status = 'dead'. */
  requeueDead(conversationId: string): number {
    const rows = this.#rows(conversationId, 1, Infinity).filter((row) => row.status === 'dead');
    for (const row of rows) this.#state.put({ ...toPending(row), lastError: undefined });
    return rows.length;
  }

  /** UPDATE … SET status = 'dead'. */
  markDead(conversationId: string, seq: number): void {
    for (const row of this.#rows(conversationId, seq, seq)) this.#state.put({ ...row, status: 'dead' });
  }

  /** A row that is gone without a trace: a fault of ours, which readers must announce. */
  loseRow(conversationId: string, seq: number): void {
    for (const row of this.#rows(conversationId, seq, seq)) this.#state.remove(row);
  }

  raiseEpoch(): number {
    this.#state.epoch += 1;
    return this.#state.epoch;
  }

  /** What pruning does: the floor rises, and everything below it goes, dead rows apart. */
  expireUpTo(conversationId: string, seq: number): void {
    const conversation = this.#state.conversations.get(conversationId)!;
    conversation.floorSeq = Math.max(conversation.floorSeq, Math.min(seq, conversation.lastSeq));
    for (const row of this.#rows(conversationId, 1, conversation.floorSeq)) {
      if (row.status !== 'dead') this.#state.remove(row);
    }
  }

  snapshot(): MemoryLogSnapshot {
    return { state: this.#state.copy() };
  }

  /** A restore from a backup: the epoch is as old as the rest, until it is raised. */
  restore(snapshot: MemoryLogSnapshot): void {
    this.#state = snapshot.state.copy();
  }

  /** An open transaction that holds a conversation's counter; call what is returned to end it. */
  holdCounter(conversationId: string): () => void {
    this.#heldCounters.add(conversationId);
    return () => this.#heldCounters.delete(conversationId);
  }

  /** Another dispatcher that owns a bucket; call what is returned to let it go. */
  holdBucket(bucket: number): () => void {
    this.#heldBuckets.set(bucket, {});
    return () => this.#heldBuckets.delete(bucket);
  }

  /** A row as the table holds it; undefined when there is none. */
  row(conversationId: string, seq: number): StoredMessage | undefined {
    return this.#state.conversations.get(conversationId)?.messages.get(seq);
  }

  /** A conversation's counter row, for checking. */
  conversation(conversationId: string): Readonly<StoredConversation> | undefined {
    return this.#state.conversations.get(conversationId);
  }

  #rows(conversationId: string, from: number, to: number): StoredMessage[] {
    const messages = this.#state.conversations.get(conversationId)?.messages.values() ?? [];
    return [...messages].filter((row) => row.seq >= from && row.seq <= to);
  }
}

/** Setting a row that was sent or dead to pending is a replay; one that is pending stays what it is. */
function toPending(row: StoredMessage): StoredMessage {
  if (row.status === 'pending') return { ...row, attempts: 0 };
  return { ...row, status: 'pending', attempts: 0, replayNo: row.replayNo + 1, nextAttemptAt: undefined };
}
