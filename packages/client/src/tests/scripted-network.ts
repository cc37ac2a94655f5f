import { formatTime, type ClientFrame, type ServerFrame } from '@sanctum/protocol';
import type { WebSocketConstructor, WebSocketLike } from '../connection/web-socket-like.ts';
import type { Clock } from '../clock.ts';

type Listener = (event: { data: unknown; code: number; reason: string }) => void;

/** One socket, and what a test does as its server. */
export class ScriptedSocket implements WebSocketLike {
  readyState = 0;
  /** What the client has sent. */
  readonly sent: ClientFrame[] = [];
  /** The code with which the client closed it. */
  closedWith: number | undefined;
  readonly openedAtMs: number;
  readonly #clock: Clock;
  readonly #listeners = new Map<string, Listener[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.openedAtMs = clock.monotonic();
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  send(data: string): void {
    this.sent.push(JSON.parse(data) as ClientFrame);
  }

  close(code = 1000): void {
    this.closedWith ??= code;
    this.readyState = 2;
  }

  get isClosed(): boolean {
    return this.closedWith !== undefined || this.readyState === 3;
  }

  /** Frames of one type that the client has sent. */
  sentOf<T extends ClientFrame['type']>(type: T): (ClientFrame & { type: T })[] {
    return this.sent.filter((frame): frame is ClientFrame & { type: T } => frame.type === type);
  }

  accept(): void {
    this.readyState = 1;
    this.#tell('open');
  }

  /** Accepts it, unless that was done, and says ready. */
  welcome(fields: Partial<ServerFrame & { type: 'ready' }> = {}): void {
    if (this.readyState !== 1) this.accept();
    this.serve({
      type: 'ready',
      connection_id: 'c',
      user_id: 'alice',
      epoch: 1,
      features: [],
      heartbeat_ms: 30_000,
      credit: 256,
      max_frame_bytes: 65_536,
      payload_max_bytes: 65_536,
      expires_at: formatTime(this.#clock.now() + 3_600_000),
      server_time: formatTime(this.#clock.now()),
      ...fields,
    });
  }

  serve(...frames: (ServerFrame | { type: string })[]): void {
    for (const frame of frames) this.raw(JSON.stringify(frame));
  }

  raw(data: unknown): void {
    this.#tell('message', { data });
  }

  /** The server ends it, or the network does. */
  drop(code = 1006, reason = ''): void {
    this.readyState = 3;
    this.#tell('close', { code, reason });
  }

  /** The handshake fails as it does with the socket of Node 22: no close is told, and it is connecting for ever. */
  fail(): void {
    this.#tell('error');
  }

  #tell(type: string, event: Partial<Parameters<Listener>[0]> = {}): void {
    for (const listener of this.#listeners.get(type) ?? [])
      listener({ data: '', code: 0, reason: '', ...event });
  }
}

/** Every socket that a client opens, in order. */
export class ScriptedNetwork {
  readonly sockets: ScriptedSocket[] = [];
  readonly WebSocket: WebSocketConstructor;
  /** What happens to a socket as soon as it is opened. */
  onOpen: (socket: ScriptedSocket) => void = () => undefined;

  constructor(clock: Clock) {
    const { sockets } = this;
    const opened = (socket: ScriptedSocket): void => {
      sockets.push(socket);
      queueMicrotask(() => this.onOpen(socket));
    };
    this.WebSocket = class extends ScriptedSocket {
      constructor() {
        super(clock);
        opened(this);
      }
    };
  }

  get last(): ScriptedSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error('no socket has been opened');
    return socket;
  }
}
