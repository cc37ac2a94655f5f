import type { Effect } from '@sanctum/client';
import type { ClientFrame, CursorEntry, HelloFrame, ServerFrame } from '@sanctum/protocol';
import type { ConnectEvent, MessageEvent } from './client-events.ts';
import type { History } from './history.ts';
import { payloadHash } from './payload-hash.ts';

export type RecordedConnection = Omit<ConnectEvent, 'type' | 'at'>;

/** Appends what one connection sends and gets. Opened when the client begins to connect. */
export class ConnectionRecorder {
  readonly #history: History;
  readonly #connection: string;
  #hello: HelloFrame | undefined;
  #cursors: CursorEntry[] = [];
  #isClosed = false;

  constructor(history: History, connection: RecordedConnection) {
    this.#history = history;
    this.#connection = connection.connection;
    history.append({ type: 'connect', ...connection });
  }

  /** A frame that the client is about to send. */
  sent(frame: ClientFrame): void {
    const connection = this.#connection;
    switch (frame.type) {
      case 'hello':
        this.#hello = frame;
        return this.#addCursors(frame.cursors, frame.more);
      case 'cursors':
        return this.#addCursors(frame.cursors, frame.more);
      case 'subscribe':
        for (const { conversation_id: conversationId, after = 'head' } of frame.conversations) {
          this.#history.append({ type: 'subscribe', connection, conversationId, after });
        }
        return;
      case 'unsubscribe':
        for (const conversationId of frame.conversations) {
          this.#history.append({ type: 'unsubscribe', connection, conversationId });
        }
        return;
      case 'ack':
        return this.#history.append({ type: 'ack', connection, delivered: frame.delivered });
      default:
    }
  }

  /** A frame that came, with what the client's rule made of it. */
  received(frame: ServerFrame, effects: readonly Effect[]): void {
    const connection = this.#connection;
    const effect = effects[0]?.kind as MessageEvent['effect'];
    switch (frame.type) {
      case 'message':
        return this.#history.append({
          type: 'message',
          connection,
          conversationId: frame.conversation_id,
          seq: frame.seq,
          messageId: frame.message_id,
          hash: payloadHash(frame.payload),
          effect: effect === 'deliver' ? undefined : effect,
          replay: frame.replay,
        });
      case 'gap':
        return this.#history.append({
          type: 'gap',
          connection,
          conversationId: frame.conversation_id,
          from: frame.from,
          to: frame.to,
          reason: frame.reason,
          effect: effect === 'moved' ? undefined : effect,
        });
      case 'member':
        return this.#history.append({
          type: 'member',
          connection,
          conversationId: frame.conversation_id,
          change: frame.change,
          seq: frame.seq,
          head: frame.head,
          membersVersion: frame.members_version,
          effect,
        });
      default:
        return this.#receivedOther(frame);
    }
  }

  closed(code: number): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#history.append({ type: 'close', connection: this.#connection, code });
  }

  #receivedOther(frame: ServerFrame): void {
    const connection = this.#connection;
    switch (frame.type) {
      case 'ready':
        return this.#history.append({ type: 'ready', connection, epoch: frame.epoch, credit: frame.credit });
      case 'subscribed':
        for (const item of frame.conversations) {
          const place = item.status === 'ok' ? { after: item.after } : { code: item.code };
          const own = frame.id !== undefined;
          const conversationId = item.conversation_id;
          this.#history.append({ type: 'subscribed', connection, conversationId, own, ...place });
        }
        return;
      case 'reset': {
        const { conversation_id: conversationId, epoch, reason } = frame;
        return this.#history.append({ type: 'reset', connection, conversationId, epoch, reason });
      }
      case 'caught_up':
        return this.#history.append({ type: 'caught_up', connection });
      default:
    }
  }

  #addCursors(cursors: readonly CursorEntry[] = [], more = false): void {
    this.#cursors.push(...cursors);
    if (more || this.#hello === undefined) return;
    const { subscribe = 'all', epoch, without_cursor: withoutCursor } = this.#hello;
    this.#history.append({
      type: 'hello',
      connection: this.#connection,
      subscribe,
      epoch,
      cursors: this.#cursors.length === 0 ? undefined : this.#cursors,
      withoutCursor,
    });
  }
}
