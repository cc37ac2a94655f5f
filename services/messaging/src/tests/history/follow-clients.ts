import type { HistoryEventOf } from './history.ts';
import type { MessageFollower } from './follow-messages.ts';
import type { Connection, Reader } from './model.ts';
import type { Panel } from './panel.ts';
import type { Run } from './run.ts';

/** What connections do to the run: each frame moves a cursor, as the contract has it. */
export class ClientFollower {
  readonly #run: Run;
  readonly #panel: Panel;
  readonly #messages: MessageFollower;

  constructor(run: Run, panel: Panel, messages: MessageFollower) {
    this.#run = run;
    this.#panel = panel;
    this.#messages = messages;
  }

  hello(event: HistoryEventOf<'hello'>): void {
    for (const hook of this.#panel.on.hello) hook(event);
    this.#run.connection(event.connection).hello = event;
  }

  ready(event: HistoryEventOf<'ready'>): void {
    const connection = this.#run.connection(event.connection);
    connection.readyAt = event.at;
    connection.epoch = event.epoch;
    connection.credit = event.credit;
    const { hello } = connection;
    // Of another epoch they mean nothing, and a reset says so.
    if (hello?.epoch !== event.epoch) return;
    for (const [conversationId, seq] of hello.cursors ?? []) {
      this.#run.reader(connection, conversationId).cursor = seq;
    }
  }

  message(event: HistoryEventOf<'message'>): void {
    const reader = this.#count(event);
    const { connection, conversation } = reader;
    const message = this.#run.message(conversation, event.messageId);
    this.#run.deliveries += 1;
    for (const hook of this.#panel.on.message) hook(event, reader, message);
    const { at, seq, hash } = event;
    this.#messages.see(message, { at, seq, hash, epoch: connection.epoch }, connection.id);
    const { cursor } = reader;
    if (cursor === undefined || seq !== cursor + 1) {
      if (cursor !== undefined && seq <= cursor) return;
      reader.disturbed = true;
    }
    reader.cursor = seq;
    reader.movedAt = at;
  }

  gap(event: HistoryEventOf<'gap'>): void {
    const reader = this.#count(event);
    for (const hook of this.#panel.on.gap) hook(event, reader);
    if (reader.cursor === undefined || event.from > reader.cursor + 1) reader.disturbed = true;
    else if (event.to <= reader.cursor) return;
    reader.cursor = event.to;
    reader.movedAt = event.at;
  }

  member(event: HistoryEventOf<'member'>): void {
    const reader = this.#count(event);
    for (const hook of this.#panel.on.member) hook(event, reader);
    if (event.change === 'removed') {
      reader.cursor = undefined;
      reader.removed = true;
    } else if (event.change === 'added') {
      reader.cursor = Math.max(event.head, reader.cursor ?? 0);
      reader.removed = false;
      reader.movedAt = event.at;
    }
  }

  reset(event: HistoryEventOf<'reset'>): void {
    const connection = this.#run.connection(event.connection);
    connection.received += 1;
    for (const hook of this.#panel.on.reset) hook(event);
    connection.epoch = event.epoch;
    connection.wasReset = true;
    if (event.conversationId !== '*') this.#run.reader(connection, event.conversationId).cursor = undefined;
    else for (const reader of connection.readers.values()) reader.cursor = undefined;
  }

  subscribe(event: HistoryEventOf<'subscribe'>): void {
    const reader = this.#reader(event);
    reader.asked = event.after;
    reader.unsubscribed = false;
  }

  unsubscribe(event: HistoryEventOf<'unsubscribe'>): void {
    this.#reader(event).unsubscribed = true;
  }

  subscribed(event: HistoryEventOf<'subscribed'>): void {
    const reader = this.#reader(event);
    for (const hook of this.#panel.on.subscribed) hook(event, reader);
    if (event.own) {
      reader.asked = undefined;
      reader.seatedAt = event.at;
    }
    if (event.after === undefined) {
      if (event.code === 'conversation_not_found') reader.cursor = undefined;
      return;
    }
    if (reader.cursor !== undefined && !event.own) return;
    reader.cursor = event.after;
    reader.removed = false;
    reader.disturbed = false;
    reader.movedAt = event.at;
  }

  ack(event: HistoryEventOf<'ack'>): void {
    const connection = this.#run.connection(event.connection);
    connection.acknowledged = Math.max(connection.acknowledged, event.delivered);
  }

  close(event: HistoryEventOf<'close'>): void {
    const connection = this.#run.connection(event.connection);
    if (connection.closedAt !== undefined) return;
    for (const hook of this.#panel.on.close) hook(event);
    connection.closedAt = event.at;
    for (const reader of connection.readers.values()) reader.conversation.readers.delete(reader);
    connection.readers.clear();
  }

  /** The reader of a frame that costs credit. */
  #count(event: { connection: string; conversationId: string }): Reader {
    const reader = this.#reader(event);
    reader.connection.received += 1;
    return reader;
  }

  #reader(event: { connection: string; conversationId: string }): Reader {
    const connection: Connection = this.#run.connection(event.connection);
    return connection.readers.get(event.conversationId) ?? this.#run.reader(connection, event.conversationId);
  }
}
