import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A long way to a server: whatever goes through it takes `delayMs` in each direction. */
export class SlowLink {
  readonly #server = createServer((near) => this.#carry(near));
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #delayMs: number;

  private constructor(target: string, delayMs: number) {
    this.#target = new URL(target);
    this.#delayMs = delayMs;
  }

  static async to(target: string, delayMs: number): Promise<SlowLink> {
    const link = new SlowLink(target, delayMs);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  /** The target's URL by this way. */
  get url(): string {
    const url = new URL(this.#target);
    url.hostname = '127.0.0.1';
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #carry(near: Socket): void {
    const far = connect(Number(this.#target.port), this.#target.hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (bytes) => this.#later(() => to.write(bytes)));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        this.#later(() => to.destroy());
      });
    }
  }

  /** Timers of one length go off in the order in which they were set, so bytes keep theirs. */
  #later(act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, this.#delayMs);
    this.#timers.add(timer);
  }
}
