import type { CursorEntry } from '@sanctum/protocol';
import { checkHistory, type CheckedHistory, type CheckOptions } from './check-history.ts';
import type { HelloEvent, MessageEvent } from './client-events.ts';
import type { FinalRow, FinalState } from './final-state.ts';
import type { HistoryEvent, UnstampedEvent } from './history.ts';
import type { OperationEvent } from './operator-events.ts';
import { StoryLog } from './story-log.ts';

/** A history made by hand, and the log that goes with it: every event is a millisecond after the one before. */
export class Story {
  readonly events: HistoryEvent[] = [];
  readonly #log = new StoryLog();
  /** What the log holds, by conversation: to be changed at will. */
  readonly log = this.#log.conversations;
  epoch = 1;
  now = 0;
  #ids = 0;
  #versions = 1;

  constructor(options: { readonly seesCommits?: boolean } = {}) {
    this.add({ type: 'begin', process: 'test', wallMs: 0, seesCommits: options.seesCommits });
  }

  add(event: UnstampedEvent): void {
    this.now += 1;
    this.events.push({ ...event, at: this.now });
  }

  create(conversationId: string, userIds: readonly string[]): void {
    this.#log.create(conversationId, userIds);
    this.#change({ kind: 'create', conversationId, userIds });
  }

  join(conversationId: string, userId: string): number {
    const joinedSeq = this.#log.join(conversationId, userId);
    this.#change({ kind: 'add', conversationId, userIds: [userId] }, joinedSeq);
    return joinedSeq;
  }

  leave(conversationId: string, userId: string): void {
    this.#log.leave(conversationId, userId);
    this.#change({ kind: 'remove', conversationId, userIds: [userId] });
  }

  /** A connection up to `ready`. */
  connect(
    connection: string,
    userId: string,
    hello: Partial<HelloEvent> & { credit?: number; operator?: boolean; client?: string } = {},
  ): void {
    const { credit = 256, operator, client = userId, ...rest } = hello;
    this.add({
      type: 'connect',
      connection,
      client,
      userId,
      process: 'test',
      pod: 'pod-1',
      operator,
    });
    this.add({ type: 'hello', connection, subscribe: 'all', ...rest });
    this.add({ type: 'ready', connection, epoch: this.epoch, credit });
  }

  /** The server says where a conversation begins. */
  seat(connection: string, conversationId: string, after = 0, own = false): void {
    this.add({ type: 'subscribed', connection, conversationId, own, after });
  }

  /** A POST as it leaves; its id. */
  begin(conversationId: string, messageId: string, hash = hashOf(messageId)): string {
    const post = this.#id();
    this.add({
      type: 'post',
      post,
      process: 'test',
      pod: 'pod-1',
      conversationId,
      messageId,
      hash,
      sender: 'ann',
    });
    return post;
  }

  /** The log takes a message. */
  append(conversationId: string, messageId: string, row: Partial<FinalRow> = {}): number {
    return this.#log.append(conversationId, {
      messageId,
      hash: hashOf(messageId),
      occurredAt: this.now,
      ...row,
    });
  }

  /** A whole POST: begun, appended, answered; its seq. */
  post(conversationId: string, messageId: string, row: Partial<FinalRow> = {}): number {
    const post = this.begin(conversationId, messageId);
    const seq = this.append(conversationId, messageId, row);
    this.add({ type: 'post_ok', post, seq, epoch: this.epoch });
    return seq;
  }

  /** Messages as the log has them. */
  deliver(
    connection: string,
    conversationId: string,
    seqs: readonly number[],
    fields: Partial<MessageEvent> = {},
  ): void {
    for (const seq of seqs) {
      const { messageId, hash } = this.log.get(conversationId)!.rows.get(seq)!;
      this.add({ type: 'message', connection, conversationId, seq, messageId, hash, ...fields });
    }
  }

  /** `member`: added from `seq` on, or removed behind it. */
  tell(connection: string, conversationId: string, change: 'added' | 'removed', seq: number): void {
    const head = change === 'added' ? seq - 1 : seq;
    this.#versions += 1;
    const membersVersion = this.#versions;
    this.add({ type: 'member', connection, conversationId, change, seq, head, membersVersion });
  }

  gap(connection: string, conversationId: string, from: number, to: number, reason: string): void {
    this.add({ type: 'gap', connection, conversationId, from, to, reason });
  }

  operate(
    kind: OperationEvent['kind'],
    details: Pick<OperationEvent, 'places' | 'epoch' | 'heads'> = {},
  ): void {
    const operation = this.#id();
    this.add({ type: 'operation', phase: 'invoke', operation, kind, places: details.places });
    this.add({ type: 'operation', phase: 'ok', operation, kind, ...details });
  }

  /** Rows are sent again, or once more. */
  resend(kind: 'replay' | 'requeue', conversationId: string, from: number, to: number): void {
    for (let seq = from; seq <= to; seq++) this.change(conversationId, seq, { status: 'sent', replayNo: 1 });
    this.operate(kind, { places: [[conversationId, from, to]] });
  }

  change(conversationId: string, seq: number, fields: Partial<FinalRow>): void {
    this.#log.change(conversationId, seq, fields);
  }

  /** The log is set back to `heads`, and the epoch raised. */
  restore(heads: readonly CursorEntry[]): void {
    this.#log.setBack(heads);
    this.epoch += 1;
    this.operate('epoch', { epoch: this.epoch, heads });
  }

  close(connection: string, code = 1000): void {
    this.add({ type: 'close', connection, code });
  }

  end(): void {
    this.add({ type: 'end' });
  }

  final(): FinalState {
    return { epoch: this.epoch, conversations: this.log };
  }

  check(options: Partial<CheckOptions> = {}): CheckedHistory {
    return checkHistory(this.events, this.final(), { settleWithinMs: 100, replayWithinMs: 50, ...options });
  }

  #change(
    what: { kind: 'create' | 'add' | 'remove'; conversationId: string; userIds: readonly string[] },
    joinedSeq?: number,
  ) {
    const change = this.#id();
    this.add({ type: 'membership', phase: 'invoke', change, by: 'ann', ...what });
    this.add({ type: 'membership', phase: 'ok', change, joinedSeq });
  }

  #id(): string {
    this.#ids += 1;
    return `id-${this.#ids}`;
  }
}

/** A minimal run, told as it should be, or with the one thing in it that breaks the promise. */
export type Tale = (story: Story, isBroken: boolean) => void;

/** Stands for the hash of a message's payload. */
export function hashOf(messageId: string): string {
  return `hash of ${messageId}`;
}
