import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** The one address that clients know: spreads their connections over the pods that live, and cuts them. */
export class FrontProxy {
  /** Where the pods are now. */
  readonly ports = new Set<number>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
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
    const unlucky = [...this.#sockets].filter(() => random() < likelihood);
    for (const socket of unlucky) socket.resetAndDestroy();
    return unlucky.length;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #forward(socket: Socket): void {
    this.#sockets.add(socket);
    const ports = [...this.ports];
    const port = ports[this.#turn++ % ports.length];
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
    if (port === undefined) return void socket.resetAndDestroy();
    const pod = connect(port, '127.0.0.1');
    pod.on('error', () => socket.resetAndDestroy());
    pod.once('close', () => socket.destroy());
    socket.once('close', () => pod.destroy());
    socket.pipe(pod).pipe(socket);
  }
}
