import { AckCounter, CursorBook, type CursorSnapshot } from '@sanctum/client';
import {
  CLIENT_ACCEPTS_FRAME_BYTES,
  SUBPROTOCOL,
  type ClientFrame,
  type HelloFrame,
  type RequestId,
  type ServerFrame,
  type SubscribeItem,
} from '@sanctum/protocol';
import { WebSocket } from 'ws';
import { ConnectionRecorder } from '../history/connection-recorder.ts';
import { Arrivals } from './arrivals.ts';
import { frameFault } from './frame-fault.ts';
import type { TestClientOptions } from './test-client-options.ts';
import { ReceivedLog, type ReceivedClose } from './received-log.ts';

const DEFAULT_TIMEOUT_MS = 5000;
/** What a server may send before it knows whom it speaks to. */
const BEFORE_READY: ReadonlySet<string> = new Set(['ready', 'error', 'heartbeat']);

/**
 * A client as the contract wants it, that keeps all it gets. Nothing in it polls: `until` looks at each
 * arrival. A server that breaks the rules fails the test's next wait.
 */
export class TestClient {
  readonly received = new ReceivedLog();
  readonly #options: TestClientOptions;
  readonly #socket: WebSocket;
  readonly #book: CursorBook;
  readonly #arrivals: Arrivals;
  readonly #recorder: ConnectionRecorder | undefined;
  #acks: AckCounter | undefined;
  #ackTimer: NodeJS.Timeout | undefined;
  #requests = 0;
  #isOpen = false;

  /** Begins to connect; `connect` also waits for `ready`. */
  constructor(options: TestClientOptions) {
    this.#options = options;
    this.#book = new CursorBook(options.cursors);
    const { record } = options;
    this.#recorder = record && new ConnectionRecorder(record.history, record.as);
    const { received } = this;
    this.#arrivals = new Arrivals({
      isFaulty: () => received.faults.length > 0 && options.failOnFault !== false,
      isOver: () => received.close !== undefined,
      summary: () => received.summary(),
    });
    const { token, tokenIn = 'header', protocols = [SUBPROTOCOL] } = options;
    const authorization =
      token !== undefined && tokenIn === 'header' ? { authorization: `Bearer ${token}` } : {};
    this.#socket = new WebSocket(options.url, [...protocols], {
      headers: { ...authorization, ...options.headers },
      maxPayload: CLIENT_ACCEPTS_FRAME_BYTES,
      perMessageDeflate: false,
    });
    this.#listen();
  }

  /** Connects and waits for `ready`. Rejects where the server refuses. */
  static async connect(options: TestClientOptions, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<TestClient> {
    const client = new TestClient(options);
    try {
      await client.until(() => client.received.ready !== undefined, timeoutMs);
    } catch (error) {
      client.terminate();
      throw error;
    }
    return client;
  }

  /** Whether the upgrade was taken and the socket not closed since. */
  get isOpen(): boolean {
    return this.#isOpen && this.received.close === undefined;
  }

  /** Counted frames that came, acknowledged or not. */
  get delivered(): number {
    return this.#acks?.delivered ?? 0;
  }

  /** The client's places: to look at, and to connect elsewhere with. */
  cursors(): CursorSnapshot {
    return this.#book.snapshot();
  }

  cursorOf(conversationId: string): number | undefined {
    return this.#book.cursorOf(conversationId);
  }

  /**
   * Waits until a predicate holds, looking at it now and at each arrival. Rejects after `timeoutMs`, when the
   * connection ends without it, and when the server breaks the rules.
   */
  until(predicate: (client: this) => boolean, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
    return this.#arrivals.until(() => predicate(this), timeoutMs);
  }

  /** Waits until the first `count` messages of a conversation, dead ones aside, were handed on. */
  untilMessages(conversationId: string, count: number, timeoutMs?: number): Promise<void> {
    return this.until(() => this.received.handedOn(conversationId).length >= count, timeoutMs);
  }

  /** Waits until the connection has ended. */
  async untilClosed(timeoutMs?: number): Promise<ReceivedClose> {
    await this.until(() => this.received.close !== undefined, timeoutMs);
    return this.received.close as ReceivedClose;
  }

  send(frame: ClientFrame): void {
    this.#recorder?.sent(frame);
    this.sendRaw(JSON.stringify(frame));
  }

  /** Sends anything: a text frame, or a binary one for bytes. */
  sendRaw(data: string | Uint8Array): void {
    this.#socket.send(data);
  }

  /** Says `hello` with what the options and the cursors hold; done on opening, unless `hello` is false. */
  sayHello(extra: Partial<HelloFrame> = {}): void {
    const { token, tokenIn, subscribe, withoutCursor, credit, deviceId, features } = this.#options;
    const [hello, ...further] = this.#book.helloFrames({
      ...(tokenIn === 'hello' && { token }),
      ...(subscribe && { subscribe }),
      ...(withoutCursor && { without_cursor: withoutCursor }),
      ...(credit !== undefined && { credit }),
      ...(deviceId !== undefined && { device_id: deviceId }),
      ...(features && { features }),
    });
    this.send({ ...hello, ...extra });
    for (const frame of further) this.send(frame);
  }

  /** Subscribes, and gives back the answer: `subscribed`, or an `error`. */
  subscribe(conversations: readonly SubscribeItem[], timeoutMs?: number): Promise<ServerFrame> {
    return this.request((id) => ({ type: 'subscribe', id, conversations: [...conversations] }), timeoutMs);
  }

  unsubscribe(conversationIds: readonly string[], timeoutMs?: number): Promise<ServerFrame> {
    return this.request(
      (id) => ({ type: 'unsubscribe', id, conversations: [...conversationIds] }),
      timeoutMs,
    );
  }

  ping(timeoutMs?: number): Promise<ServerFrame> {
    return this.request((id) => ({ type: 'ping', id }), timeoutMs);
  }

  /** Sends a frame with an id of its own and waits for the frame that bears it too. */
  async request(build: (id: RequestId) => ClientFrame, timeoutMs?: number): Promise<ServerFrame> {
    const id = `request-${++this.#requests}`;
    this.send(build(id));
    await this.until(() => this.received.answerTo(id) !== undefined, timeoutMs);
    return this.received.answerTo(id) as ServerFrame;
  }

  /** Acknowledges all that came, where there is something new; or says a number of the test's own. */
  ack(delivered = this.#acks?.take()): void {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    if (delivered !== undefined && this.#socket.readyState === WebSocket.OPEN)
      this.send({ type: 'ack', delivered });
  }

  /** Stops reading the socket, so that the server's buffers fill. */
  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  /** Closes as a client does that is done, and waits for the end; cuts the connection where none comes. */
  async close(code = 1000, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
    if (this.received.close) return;
    const ended = new Promise((resolve) => this.#socket.once('close', resolve));
    const timer = setTimeout(() => this.terminate(), timeoutMs);
    this.resumeReading();
    this.#socket.close(code);
    await ended;
    clearTimeout(timer);
  }

  /** Cuts the connection, as a lost network does. */
  terminate(): void {
    this.#socket.terminate();
  }

  #listen(): void {
    this.#socket.on('open', () => {
      this.#isOpen = true;
      if (this.#options.hello !== false) this.sayHello();
      this.#arrivals.notify();
    });
    this.#socket.on('message', (data: Buffer, isBinary) => {
      const text = data.toString();
      const frame = isBinary ? undefined : parseFrame(text);
      if (frame) this.#take(frame, text);
      else this.received.faults.push('a frame came that is no JSON object');
      this.#arrivals.notify();
    });
    this.#socket.on('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        this.received.refusal = { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() };
        this.received.addClose(1006, '');
        this.#recorder?.closed(1006);
        this.#arrivals.notify();
        this.#socket.terminate();
      });
    });
    // Every error is followed by a close, which says all that a test can ask about.
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', (code, reason) => {
      clearTimeout(this.#ackTimer);
      if (!this.received.close) this.received.addClose(code, reason.toString());
      this.#recorder?.closed(code);
      this.#arrivals.notify();
    });
  }

  #take(frame: ServerFrame, text: string): void {
    const fault = this.#options.validate === false ? undefined : frameFault(frame);
    if (fault !== undefined) return this.received.addFaultyFrame(frame, fault);
    if (!this.received.ready && !BEFORE_READY.has(frame.type)) {
      this.received.faults.push(`${frame.type} came before ready`);
    }
    const effects = this.#book.apply(frame);
    this.#recorder?.received(frame, effects);
    this.received.addFrame(frame, text, effects);
    if (frame.type === 'ready') this.#acks = new AckCounter(frame.credit);
    this.#acks?.receive(frame.type, performance.now());
    if (this.#options.autoAck !== false) this.#scheduleAck();
  }

  #scheduleAck(): void {
    const dueAtMs = this.#acks?.dueAtMs();
    if (dueAtMs === undefined) return;
    const inMs = dueAtMs - performance.now();
    if (inMs <= 0) this.ack();
    else this.#ackTimer ??= setTimeout(() => this.ack(), inMs);
  }
}

function parseFrame(text: string): ServerFrame | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as ServerFrame) : undefined;
  } catch {
    return undefined;
  }
}
