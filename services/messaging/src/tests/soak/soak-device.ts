import { AckCounter, CursorBook, type Effect } from '@sanctum/client';
import { CLIENT_ACCEPTS_FRAME_BYTES, type ServerFrame, SUBPROTOCOL } from '@sanctum/protocol';
import { WebSocket } from 'ws';
import type { SoakLedger } from './soak-ledger.ts';
import { contentOf } from './soak-content.ts';

const READY_MS = 20_000;

export interface DeviceHooks {
  readonly ledger: SoakLedger;
  /** Milliseconds from just before a `POST` until its message was here. */
  readonly onLatency: (ms: number) => void;
  readonly onGap: (reason: string) => void;
  /** Away for longer than this, a device may be told that something has expired. */
  readonly retentionMs: number;
}

/** One member's device over all its connections. It keeps its cursors, and nothing of what it got. */
export class SoakDevice {
  readonly userId: string;
  readonly name: string;
  readonly #hooks: DeviceHooks;
  #book = new CursorBook();
  #socket: WebSocket | undefined;
  #acks: AckCounter | undefined;
  #ackTimer: NodeJS.Timeout | undefined;
  #leaving = false;
  #awaySince = performance.now();
  #awayMs = 0;
  #caughtUpAt: number | undefined;
  #onCaughtUp: (() => void) | undefined;
  #onAuthenticated: (() => void) | undefined;
  deliveries = 0;

  constructor(options: { userId: string; name: string; hooks: DeviceHooks }) {
    this.userId = options.userId;
    this.name = options.name;
    this.#hooks = options.hooks;
  }

  /** How long it has been connected and caught up, in milliseconds; undefined while it is not. */
  get steadyMs(): number | undefined {
    return this.#caughtUpAt === undefined ? undefined : performance.now() - this.#caughtUpAt;
  }

  get isConnected(): boolean {
    return this.#socket !== undefined;
  }

  cursorOf(conversationId: string): number | undefined {
    return this.#book.cursorOf(conversationId);
  }

  /** Connects with its cursors, and waits until it has caught up. */
  async connect(wsUrl: string, token: string): Promise<void> {
    this.#leaving = false;
    this.#awayMs = performance.now() - this.#awaySince;
    const socket = new WebSocket(wsUrl, [SUBPROTOCOL], {
      headers: { authorization: `Bearer ${token}` },
      maxPayload: CLIENT_ACCEPTS_FRAME_BYTES,
      perMessageDeflate: false,
    });
    this.#socket = socket;
    socket.on('open', () => {
      // A device says "start" once it has stored what came up to its first `caught_up`.
      for (const frame of this.#book.helloFrames({ without_cursor: 'start' }))
        socket.send(JSON.stringify(frame));
    });
    socket.on('message', (data: Buffer) => this.#take(JSON.parse(data.toString()) as ServerFrame));
    socket.on('error', () => undefined);
    socket.on('close', (code, reason) => {
      this.#ended(socket);
      if (!this.#leaving)
        this.#hooks.ledger.violate('connection', `${this.name}: ${code} ${reason.toString()}`);
    });
    await within(`${this.name} to catch up`, (resolve, reject) => {
      this.#onCaughtUp = resolve;
      socket.once('close', (code) => reject(new Error(`${this.name} was closed with ${code}`)));
    });
  }

  /** A new token on the old connection. */
  async renew(token: string): Promise<void> {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    let stopListening = () => {};
    await within(`${this.name} to be authenticated`, (resolve) => {
      this.#onAuthenticated = resolve;
      socket.once('close', resolve);
      stopListening = () => socket.off('close', resolve);
      socket.send(JSON.stringify({ type: 'auth', token }));
    });
    stopListening();
    this.#onAuthenticated = undefined;
  }

  /** Goes away: as a client that is done, or as one whose network is lost. */
  async leave(options: { politely: boolean }): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#leaving = true;
    await within(`${this.name} to be closed`, (resolve) => {
      socket.once('close', resolve);
      if (!options.politely) return socket.terminate();
      this.#ack();
      socket.close(1000);
    });
  }

  #ended(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    clearTimeout(this.#ackTimer);
    this.#ackTimer = this.#socket = this.#acks = this.#caughtUpAt = undefined;
    this.#awaySince = performance.now();
  }

  #take(frame: ServerFrame): void {
    for (const effect of this.#book.apply(frame)) this.#judge(effect);
    if (frame.type === 'ready') this.#acks = new AckCounter(frame.credit);
    else if (frame.type === 'caught_up') {
      this.#caughtUpAt = performance.now();
      this.#onCaughtUp?.();
    } else if (frame.type === 'authenticated') this.#onAuthenticated?.();
    else if (frame.type === 'error') this.#hooks.ledger.violate('connection', `${this.name}: ${frame.code}`);
    this.#acks?.receive(frame.type, performance.now());
    const dueAtMs = this.#acks?.dueAtMs();
    if (dueAtMs === undefined) return;
    const inMs = dueAtMs - performance.now();
    if (inMs <= 0) this.#ack();
    else this.#ackTimer ??= setTimeout(() => this.#ack(), inMs);
  }

  #judge(effect: Effect): void {
    const { ledger } = this.#hooks;
    switch (effect.kind) {
      case 'deliver': {
        const { seq, message_id, payload } = effect.frame;
        const { messageId, sentAt } = contentOf(payload);
        this.deliveries += 1;
        ledger.delivered(effect.conversationId, seq, message_id, messageId);
        // What is fetched after an absence says nothing about the path.
        if (this.#caughtUpAt !== undefined && sentAt !== undefined && sentAt > this.#caughtUpAt) {
          this.#hooks.onLatency(performance.now() - sentAt);
        }
        return;
      }
      case 'moved': {
        const { reason, from, to } = effect.frame;
        this.#hooks.onGap(reason);
        const isExpired = reason === 'retention' && this.#awayMs >= this.#hooks.retentionMs;
        if (reason !== 'not_member' && !isExpired) {
          const away = `after ${Math.round(this.#awayMs)} ms`;
          ledger.violate('gap', `${this.name} ${effect.conversationId} ${from}-${to}: ${reason} ${away}`);
        }
        return;
      }
      case 'fault':
        return ledger.violate('rule', `${this.name} ${effect.conversationId}: ${effect.frame.type}`);
      case 'reset':
        return ledger.violate('connection', `${this.name} ${effect.conversationId}: reset`);
      default:
    }
  }

  #ack(): void {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    const delivered = this.#acks?.take();
    if (delivered !== undefined && this.#socket?.readyState === WebSocket.OPEN)
      this.#socket.send(`{"type":"ack","delivered":${delivered}}`);
  }
}

/** Waits for a signal, within a bound. */
async function within(
  what: string,
  begin: (resolve: () => void, reject: (error: Error) => void) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`waited ${READY_MS} ms for ${what}`)), READY_MS);
      begin(resolve, reject);
    });
  } finally {
    clearTimeout(timer);
  }
}
