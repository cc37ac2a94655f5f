import type { WebSocketConstructor, WebSocketLike } from '@sanctum/client';
import type { MessageFrame } from '@sanctum/protocol';

const CLOSED = 3;

/** A device's way to the server, which can be cut and mended, and which looks at what comes along. */
export class Network {
  #online: boolean;
  #cut = new AbortController();
  readonly #onMessage: (frame: MessageFrame) => void;

  constructor({ online, onMessage }: { online: boolean; onMessage: (frame: MessageFrame) => void }) {
    this.#online = online;
    this.#onMessage = onMessage;
  }

  get isOnline(): boolean {
    return this.#online;
  }

  /** Cuts what is open, and lets nothing through until it is switched on again. */
  set(online: boolean): void {
    this.#online = online;
    if (online) {
      // What a browser says when the network is back: the client need not wait any longer.
      globalThis.dispatchEvent(new Event('online'));
    } else {
      this.#cut.abort(new TypeError('the network was cut'));
      this.#cut = new AbortController();
    }
  }

  readonly fetch: typeof fetch = async (input, init) => {
    if (!this.#online) throw new TypeError('there is no network');
    const signals = [this.#cut.signal, ...(init?.signal ? [init.signal] : [])];
    return globalThis.fetch(input, { ...init, signal: AbortSignal.any(signals) });
  };

  /** For `connect`. */
  get WebSocket(): WebSocketConstructor {
    const open = (url: string, protocols: string[]): WebSocketLike =>
      new CuttableSocket(this.#online ? new WebSocket(url, protocols) : undefined, {
        cut: this.#cut.signal,
        onData: (data) => this.#look(data),
      }) as unknown as WebSocketLike;
    return function Socket(url: string, protocols: string[]) {
      return open(url, protocols);
    } as unknown as WebSocketConstructor;
  }

  #look(data: unknown): void {
    if (typeof data !== 'string' || !data.includes('"message"')) return;
    const frame = JSON.parse(data) as { type: string };
    if (frame.type === 'message') this.#onMessage(frame as MessageFrame);
  }
}

/**
 * A socket that ends without a goodbye when the network is cut, as with a cable pulled: `close()` of a browser's
 * socket would end it in order instead.
 */
class CuttableSocket extends EventTarget {
  readonly #real: WebSocket | undefined;
  #isCut = false;

  constructor(
    real: WebSocket | undefined,
    { cut, onData }: { cut: AbortSignal; onData: (data: unknown) => void },
  ) {
    super();
    this.#real = real;
    if (real === undefined) {
      queueMicrotask(() => this.#end(1006, ''));
      return;
    }
    real.addEventListener('open', () => this.dispatchEvent(new Event('open')));
    real.addEventListener('error', () => this.dispatchEvent(new Event('error')));
    real.addEventListener('message', ({ data }) => {
      if (this.#isCut) return;
      onData(data);
      this.dispatchEvent(new MessageEvent('message', { data }));
    });
    real.addEventListener('close', ({ code, reason }) => this.#end(code, reason));
    cut.addEventListener('abort', () => {
      this.#end(1006, '');
      real.close();
    });
  }

  get readyState(): number {
    return this.#isCut || this.#real === undefined ? CLOSED : this.#real.readyState;
  }

  send(data: string): void {
    if (!this.#isCut) this.#real?.send(data);
  }

  close(code?: number, reason?: string): void {
    this.#real?.close(code, reason);
  }

  #end(code: number, reason: string): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.dispatchEvent(new CloseEvent('close', { code, reason }));
  }
}
