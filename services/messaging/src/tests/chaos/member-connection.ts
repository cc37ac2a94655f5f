import { AckCounter, CursorBook } from '@sanctum/client';
import {
  CLIENT_ACCEPTS_FRAME_BYTES,
  HEARTBEAT_PATIENCE,
  parseCloseReason,
  SUBPROTOCOL,
  type ClientFrame,
  type GapFrame,
  type ServerFrame,
} from '@sanctum/protocol';
import { WebSocket } from 'ws';
import { ConnectionRecorder, type RecordedConnection } from '../history/connection-recorder.ts';
import type { History } from '../history/history.ts';

/** What a connection tells the device that it belongs to. */
export interface ConnectionOwner {
  ready(connection: MemberConnection): void;
  /** A message was handed on, by this connection's reckoning. */
  handedOn(messageId: string): void;
  gap(frame: GapFrame): void;
  goaway(afterMs: number): void;
  /** A frame against the client's rule. */
  fault(connection: MemberConnection, text: string): void;
  ended(connection: MemberConnection, code: number, retryAfterMs: number | undefined): void;
}

const HANDSHAKE_TIMEOUT_MS = 5000;
/** From the first byte of the handshake on, or the last frame before `ready`. */
const READY_TIMEOUT_MS = 8000;
const ABNORMAL = 1006;

/** One WebSocket of a device, to the contract, with everything it sends and gets in the history. */
export class MemberConnection {
  isReady = false;
  #heardAt = performance.now();
  readonly #owner: ConnectionOwner;
  readonly #book: CursorBook;
  readonly #deviceBook: CursorBook;
  readonly #socket: WebSocket;
  readonly #recorder: ConnectionRecorder;
  #acks: AckCounter | undefined;
  #ackTimer: NodeJS.Timeout | undefined;
  #isOver = false;

  /** Begins to connect. `isBeside`: another connection of the device is still served, and moves its book too. */
  constructor(options: {
    readonly owner: ConnectionOwner;
    readonly url: string;
    readonly token: string;
    readonly book: CursorBook;
    readonly isBeside: boolean;
    readonly history: History;
    readonly as: RecordedConnection;
  }) {
    const { owner, url, token, book, isBeside, history, as } = options;
    this.#owner = owner;
    this.#deviceBook = book;
    this.#book = isBeside ? new CursorBook(book.snapshot()) : book;
    this.#recorder = new ConnectionRecorder(history, as);
    this.#socket = new WebSocket(url, [SUBPROTOCOL], {
      headers: { authorization: `Bearer ${token}` },
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxPayload: CLIENT_ACCEPTS_FRAME_BYTES,
      perMessageDeflate: false,
    });
    this.#socket.on('open', () => this.#sayHello());
    this.#socket.on('ping', () => (this.#heardAt = performance.now()));
    this.#socket.on('message', (data: Buffer) => this.#take(JSON.parse(data.toString()) as ServerFrame));
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', (code, reason) => this.#closed(code, reason.toString()));
  }

  /** Whether nothing has come for longer than a device waits. */
  isSilent(heartbeatMs: number): boolean {
    const patienceMs = this.isReady ? heartbeatMs * HEARTBEAT_PATIENCE : READY_TIMEOUT_MS;
    return performance.now() - this.#heardAt > patienceMs;
  }

  /** Acknowledges all that came, due or not. */
  acknowledge(): void {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    if (this.#isOver) return;
    const delivered = this.#acks?.take();
    if (delivered !== undefined) this.#send({ type: 'ack', delivered });
  }

  /** Closes it as one that is done; the owner is not told. */
  leave(): void {
    if (this.#isOver) return;
    this.#end(1000);
    this.#socket.close(1000);
    // A pod that is frozen, or cut off, answers nothing.
    setTimeout(() => this.#socket.terminate(), HANDSHAKE_TIMEOUT_MS).unref();
  }

  /** Cuts it, as a device does that hears nothing any more. */
  lose(): void {
    this.#socket.terminate();
    this.#closed(ABNORMAL, '');
  }

  #sayHello(): void {
    // What was never seen is asked for from its beginning: nothing may be missing in the end.
    for (const frame of this.#book.helloFrames({ without_cursor: 'start' })) this.#send(frame);
  }

  #take(frame: ServerFrame): void {
    if (this.#isOver) return;
    this.#heardAt = performance.now();
    const effects = this.#book.apply(frame);
    if (this.#book !== this.#deviceBook) this.#deviceBook.apply(frame);
    this.#recorder.received(frame, effects);
    if (frame.type === 'ready') {
      this.#acks = new AckCounter(frame.credit);
      this.isReady = true;
      this.#owner.ready(this);
    }
    this.#acks?.receive(frame.type, this.#heardAt);
    this.#scheduleAck();
    for (const effect of effects) {
      if (effect.kind === 'deliver' || effect.kind === 'deliver_late') {
        this.#owner.handedOn(effect.frame.message_id);
      }
      if (effect.kind === 'fault') this.#owner.fault(this, JSON.stringify({ ...frame, payload: undefined }));
    }
    if (frame.type === 'gap') this.#owner.gap(frame);
    if (frame.type === 'goaway') this.#owner.goaway(frame.reconnect_after_ms);
  }

  #scheduleAck(): void {
    const dueAt = this.#acks?.dueAtMs();
    if (dueAt === undefined) return;
    const inMs = dueAt - performance.now();
    if (inMs <= 0) this.acknowledge();
    else this.#ackTimer ??= setTimeout(() => this.acknowledge(), inMs);
  }

  #send(frame: ClientFrame): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#recorder.sent(frame);
    this.#socket.send(JSON.stringify(frame));
  }

  #closed(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#end(code);
    this.#owner.ended(this, code, parseCloseReason(reason));
  }

  #end(code: number): void {
    this.#isOver = true;
    clearTimeout(this.#ackTimer);
    this.#recorder.closed(code);
  }
}
