import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { openWay, ProxyPipe, type Way } from './proxy-pipe.ts';

/** `up`: to the server; `down`: back to whoever connected. */
export type Direction = 'up' | 'down';
export type Directions = Direction | 'both';

interface Proxied {
  readonly near: Socket;
  readonly far: Socket;
  readonly pipes: readonly ProxyPipe[];
}

const HOST = '127.0.0.1';

/**
 * A network between two parts of ours, to be made worse: each scenario puts its faults here, and the counters are
 * the proof that they were there. Connections that come through it are TCP on the loopback on both sides.
 */
export class TcpProxy {
  /** Where new connections go. */
  targetPort: number;
  /** Connections taken so far. */
  accepted = 0;
  /** Connections that were cut by `reset`, `refuse` or `breakOn`. */
  broken = 0;
  readonly passedBytes: Record<Direction, number> = { up: 0, down: 0 };
  readonly #ways: Readonly<Record<Direction, Way>> = { up: openWay(), down: openWay() };
  readonly #connections = new Set<Proxied>();
  #server: Server | undefined;
  #port = 0;

  private constructor(targetPort: number) {
    this.targetPort = targetPort;
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    await proxy.accept();
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** Connections now. */
  get open(): number {
    return this.#connections.size;
  }

  delay(directions: Directions, delayMs: number): void {
    this.#set(directions, { delayMs });
  }

  throttle(directions: Directions, bytesPerSecond: number): void {
    this.#set(directions, { bytesPerSecond });
  }

  /** Cuts the network: what is sent waits until `heal`, and neither side hears that the other has closed. */
  hold(directions: Directions): void {
    this.#set(directions, { held: true });
  }

  /** Resets every connection on which these bytes are about to pass. */
  breakOn(direction: Direction, bytes: Buffer): void {
    this.#set(direction, { breaksOn: bytes });
  }

  /** Ends what `delay`, `throttle`, `hold` and `breakOn` began; what was held back arrives now. */
  heal(): void {
    this.#set('both', openWay());
  }

  /** Resets every connection; new ones are taken. */
  reset(): void {
    for (const connection of [...this.#connections]) this.#break(connection);
  }

  /** Resets every connection, and nobody listens any more. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.reset();
    if (server === undefined) return;
    server.close();
    await once(server, 'close');
  }

  /** Listens, again on the same port. */
  async accept(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#join(near));
    this.#server = server;
    server.listen(this.#port, HOST);
    await once(server, 'listening');
    this.#port = (server.address() as { port: number }).port;
  }

  #join(near: Socket): void {
    this.accepted += 1;
    const far = connect({ port: this.targetPort, host: HOST, allowHalfOpen: true, noDelay: true });
    const pipe = (direction: Direction, from: Socket, to: Socket) =>
      new ProxyPipe({ from, to }, this.#ways[direction], {
        onBytes: (count) => (this.passedBytes[direction] += count),
        onBreak: () => this.#break(connection),
      });
    const connection: Proxied = { near, far, pipes: [pipe('up', near, far), pipe('down', far, near)] };
    this.#connections.add(connection);
    const forget = () => {
      if (near.destroyed && far.destroyed) this.#connections.delete(connection);
    };
    near.on('close', forget);
    far.on('close', forget);
  }

  #break(connection: Proxied): void {
    if (!this.#connections.delete(connection)) return;
    this.broken += 1;
    connection.near.resetAndDestroy();
    connection.far.resetAndDestroy();
  }

  #set(directions: Directions, change: Partial<Way>): void {
    for (const direction of directions === 'both' ? (['up', 'down'] as const) : [directions]) {
      Object.assign(this.#ways[direction], change);
    }
    for (const { pipes } of this.#connections) for (const pipe of pipes) pipe.pump();
  }
}
