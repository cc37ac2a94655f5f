import {
  HEARTBEAT_PATIENCE,
  SUBPROTOCOL,
  type ClientFrame,
  type GoawayFrame,
  type ReadyFrame,
  type ServerFrame,
} from '@sanctum/protocol';
import { AckCounter } from '../ack-counter.ts';
import type { Clock, Timer } from '../clock.ts';
import { parseObject } from '../http.ts';
import { CONNECTING, OPEN, type WebSocketConstructor, type WebSocketLike } from './web-socket-like.ts';

/** From the first byte to `ready`: a pod may wait 10 s for its database before it says to try later. */
const READY_TIMEOUT_MS = 15_000;
/** Whatever the server says its heartbeat is. */
const SILENCE_MAX_MS = 3_600_000;
/** How long an answer to a `ping` may take when there is reason to doubt the connection. */
const PROBE_TIMEOUT_MS = 5_000;

/** How a connection ended. */
export type LinkEnd =
  | { readonly kind: 'closed'; readonly code: number; readonly hintMs: number }
  /** Nothing was heard for too long. */
  | { readonly kind: 'silent' }
  /** The server broke the rules of delivery, and asking again did not help. */
  | { readonly kind: 'fault' }
  /** The server broke the rules of the subprotocol itself: the same would come again. */
  | { readonly kind: 'broken'; readonly detail: string }
  /** This side is done with it. */
  | { readonly kind: 'left' };

export interface LinkOptions {
  readonly WebSocket: WebSocketConstructor;
  /** As `wss://chat.example/ws`. */
  readonly url: string;
  readonly clock: Clock;
  /** What is said first, as of the moment at which it can be said. */
  readonly hello: () => readonly ClientFrame[];
  /** Each frame as it comes, none after the end. */
  readonly onFrame: (link: Link, frame: ServerFrame) => void;
  /** How many frames are more than fit: so many are not acknowledged yet. */
  readonly surplus: () => number;
}

/**
 * One WebSocket: it says hello, acknowledges, and notices when the server has gone silent. It ends once, in
 * whichever way comes first, hands on nothing after that, and is never used again.
 */
export class Link {
  // Declared alone, as they are set by the constructor: fields cost bytes of what every page loads.
  declare readonly ready: Promise<ReadyFrame>;
  declare readonly goaway: Promise<GoawayFrame>;
  declare readonly ended: Promise<LinkEnd>;
  /** When `ready` came, in monotonic milliseconds; undefined until then. */
  readyAtMs: number | undefined;
  readonly #options: LinkOptions;
  readonly #socket: WebSocketLike;
  #resolveReady: (frame: ReadyFrame) => void = () => undefined;
  #resolveGoaway: (frame: GoawayFrame) => void = () => undefined;
  #resolveEnded: (end: LinkEnd) => void = () => undefined;
  #isOver = false;
  #acks: AckCounter | undefined;
  #ackTimer: Timer | undefined;
  #heardAtMs: number;
  #silenceMs = READY_TIMEOUT_MS;
  #silenceTimer: Timer;
  #probeTimer: Timer | undefined;
  #pings = 0;

  constructor(options: LinkOptions) {
    const { WebSocket, url, clock } = options;
    this.#options = options;
    this.#heardAtMs = clock.monotonic();
    this.ready = new Promise((resolve) => (this.#resolveReady = resolve));
    this.goaway = new Promise((resolve) => (this.#resolveGoaway = resolve));
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    this.#socket = new WebSocket(url, [SUBPROTOCOL]);
    this.#silenceTimer = this.#watchSilence(READY_TIMEOUT_MS);
    this.#listen();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  send(frame: ClientFrame): void {
    if (!this.#isOver && this.#socket.readyState === OPEN) this.#socket.send(JSON.stringify(frame));
  }

  /** Ends it from this side: what came is acknowledged, and nothing more is handed on. */
  finish(end: LinkEnd): void {
    if (this.#isOver) return;
    this.#acknowledge();
    this.#end(end);
    this.#socket.close(1000);
  }

  /** Asks whether the other side is still there; without an answer in 5 s the connection counts as silent. */
  probe(): void {
    if (this.#isOver || this.#probeTimer || this.readyAtMs === undefined) return;
    const askedAtMs = this.#options.clock.monotonic();
    this.send({ type: 'ping', id: ++this.#pings });
    this.#probeTimer = this.#options.clock.setTimer(PROBE_TIMEOUT_MS, () => {
      this.#probeTimer = undefined;
      if (this.#heardAtMs < askedAtMs) this.finish({ kind: 'silent' });
    });
  }

  /** Something was taken: sends the ack that was held back, if one is due. */
  roomMade(): void {
    this.#scheduleAck();
  }

  #listen(): void {
    const socket = this.#socket;
    const closed = (code: number, reason: string): void => {
      const hintMs = Number((parseObject(reason) as { retry_after_ms?: unknown })?.retry_after_ms);
      this.#end({ kind: 'closed', code, hintMs: hintMs > 0 ? hintMs : 0 });
    };
    socket.addEventListener('open', () => {
      for (const frame of this.#options.hello()) this.send(frame);
    });
    socket.addEventListener('message', ({ data }) => this.#receive(data));
    socket.addEventListener('error', () => {
      // A close follows, which tells more. Not so in Node 22, whose own socket says no more where it never opened.
      if (socket.readyState === CONNECTING) closed(1006, '');
    });
    socket.addEventListener('close', ({ code, reason }) => closed(code, reason));
  }

  #receive(data: unknown): void {
    if (this.#isOver) return;
    const { clock, onFrame } = this.#options;
    this.#heardAtMs = clock.monotonic();
    const frame = typeof data === 'string' ? parseFrame(data) : undefined;
    if (frame === undefined) {
      return this.finish({ kind: 'broken', detail: 'no type' });
    }
    if (frame.type === 'ready') this.#welcome(frame);
    // Counted first: taking it may end the connection, and the last ack covers it then.
    this.#acks?.receive(frame.type, this.#heardAtMs);
    try {
      onFrame(this, frame);
    } catch {
      // Thrown here it would be nobody's, and end a Node process.
      return this.finish({ kind: 'broken', detail: `${frame.type} is not whole` });
    }
    if (frame.type === 'ready') this.#resolveReady(frame);
    if (frame.type === 'goaway') this.#resolveGoaway(frame);
    this.#scheduleAck();
  }

  #welcome(ready: ReadyFrame): void {
    this.readyAtMs = this.#heardAtMs;
    this.#acks = new AckCounter(ready.credit);
    this.#silenceMs = Math.min(ready.heartbeat_ms * HEARTBEAT_PATIENCE, SILENCE_MAX_MS);
    this.#silenceTimer.cancel();
    this.#silenceTimer = this.#watchSilence(this.#silenceMs);
  }

  #scheduleAck(): void {
    const { clock, surplus } = this.#options;
    const dueAtMs = this.#isOver ? undefined : this.#acks?.dueAtMs(surplus());
    if (dueAtMs === undefined) return;
    const inMs = dueAtMs - clock.monotonic();
    if (inMs <= 0) this.#acknowledge();
    else this.#ackTimer ??= clock.setTimer(inMs, () => this.#acknowledge());
  }

  #acknowledge(): void {
    this.#ackTimer?.cancel();
    this.#ackTimer = undefined;
    const { clock, surplus } = this.#options;
    const delivered = this.#acks?.take(surplus(), clock.monotonic());
    if (delivered !== undefined) this.send({ type: 'ack', delivered });
  }

  /** One timer for all frames: when it fires too early, it waits for what is left. */
  #watchSilence(delayMs: number): Timer {
    const { clock } = this.#options;
    return clock.setTimer(delayMs, () => {
      const leftMs = this.#heardAtMs + this.#silenceMs - clock.monotonic();
      if (leftMs > 0) this.#silenceTimer = this.#watchSilence(leftMs);
      else this.finish({ kind: 'silent' });
    });
  }

  #end(end: LinkEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#silenceTimer.cancel();
    this.#ackTimer?.cancel();
    this.#probeTimer?.cancel();
    this.#resolveEnded(end);
  }
}

function parseFrame(text: string): ServerFrame | undefined {
  const value: { type?: unknown } | undefined = parseObject(text);
  return typeof value?.type === 'string' ? (value as ServerFrame) : undefined;
}
