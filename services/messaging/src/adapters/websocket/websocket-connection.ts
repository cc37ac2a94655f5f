import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Connection } from '../../realtime/connection.ts';
import type { SharedFrame } from '../../realtime/shared-frame.ts';

/** FIN and opcode 1 (text), RFC 6455 §5.2. */
const FINAL_TEXT = 0x81;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/**
 * A session's socket. Message frames are written as prepared buffers, header and all, past the library's sender:
 * the same bytes go to every reader, and corking makes one write of what a socket is due in a turn. Frames are
 * never fragmented nor compressed, so the library's own frames (pong, close) fall between two of ours.
 */
export class WebSocketConnection implements Connection {
  readonly id: string;
  readonly #webSocket: WebSocket;
  readonly #socket: Duplex;

  constructor(options: { id: string; webSocket: WebSocket; socket: Duplex }) {
    this.id = options.id;
    this.#webSocket = options.webSocket;
    this.#socket = options.socket;
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  send(frame: SharedFrame): void {
    if (frame.wire === undefined) {
      frame.wire = textFrame(frame.json);
      frame.json = frame.wire.subarray(frame.wire.length - frame.json.length);
    }
    this.#write(frame.wire);
  }

  sendJson(json: string): void {
    this.#write(textFrame(Buffer.from(json)));
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  ping(): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping();
  }

  close(code: number, reason: string): void {
    this.#webSocket.close(code, reason);
  }

  terminate(): void {
    this.#webSocket.terminate();
  }

  #write(bytes: Buffer): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#socket.write(bytes);
  }
}

/** An unmasked, unfragmented text frame. */
function textFrame(json: Buffer): Buffer {
  const { length } = json;
  const headerBytes = length < LENGTH_16 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafeSlow(headerBytes + length);
  frame[0] = FINAL_TEXT;
  if (headerBytes === 2) frame[1] = length;
  else if (headerBytes === 4) {
    frame[1] = LENGTH_16;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH_64;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  json.copy(frame, headerBytes);
  return frame;
}
