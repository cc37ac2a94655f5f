import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between browsers and the service, and keeps every byte that browsers send. */
export class RecordingProxy {
  /** The service; it may move. */
  targetPort = 0;
  readonly #server = createServer((near) => this.#carry(near));
  readonly #sockets = new Set<Socket>();
  readonly #sent: Buffer[][] = [];

  static async start(): Promise<RecordingProxy> {
    const proxy = new RecordingProxy();
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What was sent on all connections, WebSocket frames without their masks. */
  sent(): Buffer {
    return Buffer.concat(this.#sent.map((chunks) => unmasked(Buffer.concat(chunks))));
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #carry(near: Socket): void {
    const chunks: Buffer[] = [];
    this.#sent.push(chunks);
    near.on('data', (chunk: Buffer) => chunks.push(chunk));
    const far = connect(this.targetPort, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}

/** A browser's side of a connection: frames of RFC 6455, 5.2, behind an upgrade, else as it is. */
function unmasked(bytes: Buffer): Buffer {
  const headEnd = bytes.indexOf('\r\n\r\n') + 4;
  const head = bytes.subarray(0, headEnd);
  if (!/^upgrade: websocket/im.test(head.toString('latin1'))) return bytes;
  const parts: Buffer[] = [head];
  for (let at = headEnd; at + 2 <= bytes.length;) {
    const short = bytes[at + 1]! & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const maskAt = at + 2 + lengthBytes;
    // Browsers send no frame that needs more than 48 bits for its length.
    const length =
      lengthBytes === 0
        ? short
        : bytes.readUIntBE(maskAt - Math.min(lengthBytes, 6), Math.min(lengthBytes, 6));
    const mask = bytes.subarray(maskAt, maskAt + 4);
    const payload = bytes.subarray(maskAt + 4, maskAt + 4 + length);
    parts.push(Buffer.from(payload.map((byte, index) => byte ^ mask[index % 4]!)), Buffer.from('\n'));
    at = maskAt + 4 + length;
  }
  return Buffer.concat(parts);
}
