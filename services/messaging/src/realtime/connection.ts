import type { SharedFrame } from './shared-frame.ts';

/** What a session needs of its socket. adapters/websocket has the real one, adapters/memory one for simulations. */
export interface Connection {
  readonly id: string;
  /** Sends a frame whose bytes are shared with other sockets. */
  send(frame: SharedFrame): void;
  /** Sends a frame for this socket alone. */
  sendJson(json: string): void;
  /** Bytes handed over and not yet taken by the operating system. */
  readonly unsentBytes: number;
  /** Between the two, frames are gathered into one write. */
  cork(): void;
  uncork(): void;
  /** An RFC 6455 ping. */
  ping(): void;
  /** Closes with a code and a reason; nothing that was sent before is dropped on purpose. */
  close(code: number, reason: string): void;
  /** Ends it without ceremony. */
  terminate(): void;
}
