import { once } from 'node:events';
import { SUBPROTOCOL } from '@sanctum/protocol';
import { WebSocket } from 'ws';

export interface RawClose {
  readonly code: number;
  readonly reason: string;
}

/** A WebSocket without manners: says only what the test says, and keeps what comes. */
export class RawSocket {
  readonly frames: Record<string, unknown>[] = [];
  readonly closed: Promise<RawClose>;
  readonly #socket: WebSocket;
  readonly #waiting = new Set<{ type: string; resolve: (frame: Record<string, unknown>) => void }>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Record<string, unknown>;
      this.frames.push(frame);
      for (const waiter of this.#waiting) {
        if (waiter.type !== frame['type']) continue;
        this.#waiting.delete(waiter);
        waiter.resolve(frame);
      }
    });
  }

  /** Resolves when the upgrade was taken. */
  static async open(
    url: string,
    options: { token?: string | undefined; headers?: Record<string, string> } = {},
  ): Promise<RawSocket> {
    const authorization = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
    const socket = new WebSocket(url, [SUBPROTOCOL], { headers: { ...authorization, ...options.headers } });
    const raw = new RawSocket(socket);
    await once(socket, 'open');
    return raw;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  get types(): unknown[] {
    return this.frames.map((frame) => frame['type']);
  }

  /** A frame as JSON. */
  send(frame: Record<string, unknown>): void {
    this.sendText(JSON.stringify(frame));
  }

  /** Any text; bytes that need not be UTF-8. */
  sendText(text: string | Uint8Array): void {
    this.#socket.send(text, { binary: false });
  }

  sendBinary(bytes: Uint8Array): void {
    this.#socket.send(bytes, { binary: true });
  }

  /** An RFC 6455 ping. */
  ping(): void {
    this.#socket.ping();
  }

  /** The first frame of this type, past or to come. Rejects when the socket closes without one. */
  frame(type: string): Promise<Record<string, unknown>> {
    const seen = this.frames.find((frame) => frame['type'] === type);
    if (seen !== undefined) return Promise.resolve(seen);
    return new Promise((resolve, reject) => {
      this.#waiting.add({ type, resolve });
      void this.closed.then(({ code }) => reject(new Error(`closed with ${code} before ${type}`)));
    });
  }

  /** Waits until the server has read all that was sent: an RFC 6455 ping is answered in its turn. */
  async settled(): Promise<void> {
    const pong = once(this.#socket, 'pong');
    this.ping();
    const ended = await Promise.race([pong.then(() => undefined), this.closed]);
    if (ended !== undefined) throw new Error(`closed with ${ended.code} ${ended.reason}`);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  close(): void {
    this.#socket.close(1000);
  }
}
