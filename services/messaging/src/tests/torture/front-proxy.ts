import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** The one address that clients know: spreads their connections over the pods that live, and cuts them. */
export class FrontProxy {
  /** Where the pods are now. */
  readonly ports = new Set<number>();
  readonly #server: Server;
  /** A client's socket, and the one to its pod. */
  readonly #sockets = new Map<Socket, Socket>();
  readonly #silent = new Set<Socket>();
  #turn = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => this.#forward(socket));
  }

  static async start(): Promise<FrontProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FrontProxy(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts each connection with this likelihood; how many that were. */
  cut(likelihood: number, random: () => number): number {
    const unlucky = [...this.#sockets.keys()].filter(() => random() < likelihood);
    for (const socket of unlucky) reset(socket);
    return unlucky.length;
  }

  /** On each connection with this likelihood nothing passes any more, either way, and neither side is told. */
  silence(likelihood: number, random: () => number): void {
    for (const [socket, pod] of this.#sockets) {
      if (random() >= likelihood) continue;
      for (const each of [socket, pod]) {
        each.unpipe();
        each.pause();
        this.#silent.add(each);
      }
    }
  }

  /** Connections that are silent still are cut. */
  heal(): void {
    for (const socket of this.#silent) reset(socket);
    this.#silent.clear();
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #forward(socket: Socket): void {
    const ports = [...this.ports];
    const port = ports[this.#turn++ % ports.length];
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
    if (port === undefined) return reset(socket);
    const pod = connect(port, '127.0.0.1');
    this.#sockets.set(socket, pod);
    pod.on('error', () => reset(socket));
    pod.once('close', () => socket.destroy());
    socket.once('close', () => pod.destroy());
    socket.pipe(pod).pipe(socket);
  }
}

/** At once: `resetAndDestroy` waits for what is still to be written, which a side that has gone never takes. */
function reset(socket: Socket): void {
  if (socket.writableLength === 0) socket.resetAndDestroy();
  else socket.destroy();
}
