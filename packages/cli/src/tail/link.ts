import { AckCounter } from '@sanctum/client';
import type { Clock, Timer } from '@sanctum/messaging/clock';
import {
  CLIENT_ACCEPTS_FRAME_BYTES,
  HEARTBEAT_PATIENCE,
  isErrorCode,
  parseCloseReason,
  SUBPROTOCOL,
  type ClientFrame,
  type GoawayFrame,
  type ReadyFrame,
  type ServerFrame,
} from '@sanctum/protocol';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { isUnreachable } from '../cli-error.ts';
import type { LinkEnd } from './after-end.ts';

/** From the first byte to `ready`: a pod may wait 10 s for its database before it says to try later. */
const READY_TIMEOUT_MS = 15_000;
/** For the other side to answer a close. */
const CLOSE_TIMEOUT_MS = 1_000;
const REFUSAL_MAX_BYTES = 16_384;
/** Whatever the server says its heartbeat is. */
const SILENCE_MAX_MS = 3_600_000;

export interface LinkOptions {
  /** As `ws://127.0.0.1:8083/ws`. */
  readonly url: string;
  readonly token: string;
  readonly clock: Clock;
  /** What is said first. */
  readonly hello: readonly ClientFrame[];
  /** Each frame as it comes, none after `finish`. An ack for it goes out only after this has returned. */
  readonly onFrame: (link: Link, frame: ServerFrame) => void;
}

/**
 * One WebSocket connection: it says hello, acknowledges, and notices when the server has gone silent.
 * It ends once, in whichever way comes first, and is never used again.
 */
export class Link {
  readonly ready: Promise<ReadyFrame>;
  readonly goaway: Promise<GoawayFrame>;
  /** Why it ended; the socket may still be closing. */
  readonly ended: Promise<LinkEnd>;
  /** The socket is gone. */
  readonly closed: Promise<void>;
  /** When it was opened, in the clock's monotonic milliseconds. */
  readonly openedAt: number;
  readonly #clock: Clock;
  readonly #socket: WebSocket;
  readonly #onFrame: LinkOptions['onFrame'];
  #resolveReady: (frame: ReadyFrame) => void = () => undefined;
  #resolveGoaway: (frame: GoawayFrame) => void = () => undefined;
  #resolveEnded: (end: LinkEnd) => void = () => undefined;
  #isOver = false;
  #acks: AckCounter | undefined;
  #ackTimer: Timer | undefined;
  #heardAt: number;
  #silenceMs = READY_TIMEOUT_MS;
  #silenceTimer: Timer;

  constructor({ url, token, clock, hello, onFrame }: LinkOptions) {
    this.#clock = clock;
    this.#onFrame = onFrame;
    this.openedAt = this.#heardAt = clock.monotonic();
    this.ready = new Promise((resolve) => (this.#resolveReady = resolve));
    this.goaway = new Promise((resolve) => (this.#resolveGoaway = resolve));
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    this.#socket = new WebSocket(url, [SUBPROTOCOL], {
      headers: { authorization: `Bearer ${token}` },
      maxPayload: CLIENT_ACCEPTS_FRAME_BYTES,
      perMessageDeflate: false,
    });
    this.closed = new Promise((resolve) => this.#socket.once('close', () => resolve()));
    this.#silenceTimer = this.#watchSilence(READY_TIMEOUT_MS);
    this.#listen(hello);
  }

  send(frame: ClientFrame): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  /** Ends it from this side: what was taken is acknowledged, and nothing more is handed on. */
  finish(end: LinkEnd): void {
    if (this.#isOver) return;
    this.#acknowledge();
    this.#end(end);
    this.#socket.close(1000);
    this.#clock.setTimer(CLOSE_TIMEOUT_MS, () => this.#socket.terminate());
  }

  #listen(hello: readonly ClientFrame[]): void {
    const socket = this.#socket;
    socket.on('open', () => {
      for (const frame of hello) this.send(frame);
    });
    socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary));
    socket.on('ping', () => this.#heard());
    socket.on('unexpected-response', (_request, response) => void this.#refused(response));
    socket.on('error', (error: Error & { code?: string }) => {
      // Every error is followed by a close, which tells less.
      if (error.code?.startsWith('WS_ERR_')) this.#end({ kind: 'broken', detail: error.message });
      else if (isUnreachable(error)) this.#end({ kind: 'unreachable' });
    });
    socket.on('close', (code, reason) => {
      this.#end({ kind: 'closed', code, hintMs: parseCloseReason(reason.toString()) });
    });
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#isOver) return;
    this.#heard();
    const frame = isBinary ? undefined : parseFrame(data.toString());
    if (frame === undefined)
      return this.finish({ kind: 'broken', detail: 'a frame is no JSON object with a type' });
    if (frame.type === 'ready') {
      this.#acks = new AckCounter(frame.credit);
      this.#silenceMs = Math.min(frame.heartbeat_ms * HEARTBEAT_PATIENCE, SILENCE_MAX_MS);
      this.#silenceTimer.cancel();
      this.#silenceTimer = this.#watchSilence(this.#silenceMs);
    }
    // Counted first: taking it may end the connection, and the last ack covers it then.
    this.#acks?.receive(frame.type, this.#clock.monotonic());
    this.#onFrame(this, frame);
    if (frame.type === 'ready') this.#resolveReady(frame);
    if (frame.type === 'goaway') this.#resolveGoaway(frame);
    this.#scheduleAck();
  }

  #scheduleAck(): void {
    const dueAt = this.#isOver ? undefined : this.#acks?.dueAtMs();
    if (dueAt === undefined) return;
    const inMs = dueAt - this.#clock.monotonic();
    if (inMs <= 0) this.#acknowledge();
    else this.#ackTimer ??= this.#clock.setTimer(inMs, () => this.#acknowledge());
  }

  #acknowledge(): void {
    this.#ackTimer?.cancel();
    this.#ackTimer = undefined;
    const delivered = this.#acks?.take();
    if (delivered !== undefined) this.send({ type: 'ack', delivered });
  }

  #heard(): void {
    this.#heardAt = this.#clock.monotonic();
  }

  /** One timer for all frames: when it fires too early, it waits for what is left. */
  #watchSilence(delayMs: number): Timer {
    return this.#clock.setTimer(delayMs, () => {
      const leftMs = this.#heardAt + this.#silenceMs - this.#clock.monotonic();
      if (leftMs > 0) {
        this.#silenceTimer = this.#watchSilence(leftMs);
        return;
      }
      this.#end({ kind: 'silent' });
      this.#socket.terminate();
    });
  }

  async #refused(response: IncomingMessage): Promise<void> {
    let text = '';
    try {
      for await (const chunk of response.setEncoding('utf8')) {
        text += chunk as string;
        if (text.length > REFUSAL_MAX_BYTES) break;
      }
    } catch {
      // What came until then says enough.
    }
    const { code, retry_after_ms: hint } = (parseObject(text) ?? {}) as {
      code?: unknown;
      retry_after_ms?: unknown;
    };
    this.#end({
      kind: 'refused',
      status: response.statusCode ?? 0,
      ...(isErrorCode(code) && { code }),
      ...(typeof hint === 'number' && hint >= 0 && { hintMs: hint }),
    });
    this.#socket.terminate();
  }

  #end(end: LinkEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#silenceTimer.cancel();
    this.#ackTimer?.cancel();
    this.#resolveEnded(end);
  }
}

function parseFrame(text: string): ServerFrame | undefined {
  const value: { type?: unknown } | undefined = parseObject(text);
  return typeof value?.type === 'string' ? (value as ServerFrame) : undefined;
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
