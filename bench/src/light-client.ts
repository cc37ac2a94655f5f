import { AckCounter } from '@sanctum/client';
import { SUBPROTOCOL } from '@sanctum/protocol';
import { WebSocket } from 'ws';

const MESSAGE_PREFIX = '{"type":"message"';
const CREDITED_PREFIXES = [MESSAGE_PREFIX, '{"type":"gap"', '{"type":"member"', '{"type":"reset"'];

/**
 * A client that costs next to nothing, so that a benchmark measures the server: it counts frames, acknowledges as
 * it must, and looks into nothing but what it is asked for.
 */
export class LightClient {
  messages = 0;
  readonly #socket: WebSocket;
  readonly #acks: AckCounter;
  #timer: NodeJS.Timeout | undefined;

  private constructor(socket: WebSocket, credit: number, onMessage: (frame: Buffer) => void) {
    this.#socket = socket;
    this.#acks = new AckCounter(credit);
    socket.on('message', (data: Buffer) => {
      const head = data.toString('latin1', 0, MESSAGE_PREFIX.length);
      const type = CREDITED_PREFIXES.find((prefix) => head.startsWith(prefix));
      if (type === undefined) return;
      if (type === MESSAGE_PREFIX) {
        this.messages += 1;
        onMessage(data);
      }
      this.#acks.receive('message', performance.now());
      const dueInMs = (this.#acks.dueAtMs() ?? Infinity) - performance.now();
      if (dueInMs <= 0) this.#ack();
      else if (dueInMs < Infinity) this.#timer ??= setTimeout(() => this.#ack(), dueInMs);
    });
  }

  /** Connects, and waits for `ready`. */
  static connect(options: {
    url: string;
    token: string;
    credit?: number;
    onMessage?: (frame: Buffer) => void;
  }): Promise<LightClient> {
    const { url, token, credit = 1024, onMessage = () => {} } = options;
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, [SUBPROTOCOL], {
        headers: { authorization: `Bearer ${token}` },
        perMessageDeflate: false,
      });
      const client = new LightClient(socket, credit, onMessage);
      socket.once('open', () => socket.send(JSON.stringify({ type: 'hello', credit })));
      socket.once('message', () => resolve(client));
      socket.once('close', (code) => reject(new Error(`closed with ${code}`)));
      socket.once('error', reject);
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket.terminate();
  }

  #ack(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const delivered = this.#acks.take();
    if (delivered !== undefined && this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(`{"type":"ack","delivered":${delivered}}`);
    }
  }
}
