import type { Connection } from '../../realtime/connection.ts';
import type { Session } from '../../realtime/session.ts';
import type { SharedFrame } from '../../realtime/shared-frame.ts';
import type { SimClock } from './sim-clock.ts';
import type { SimProcess } from './sim-process.ts';

/** What kernel and network take of a socket before bytes stay with the server. */
const WINDOW_BYTES = 64 * 1024;

const ABNORMAL = 1006;

/** The client's half. */
export interface SocketListener {
  onText(text: string): void;
  onClose(code: number, reason: string): void;
}

export interface SimSocketOptions {
  readonly id: string;
  readonly clock: SimClock;
  /** The pod's. */
  readonly process: SimProcess;
  readonly listener: SocketListener;
  readonly latencyMs: () => number;
  /** What one byte counts for: how small messages fill a buffer. */
  readonly weight: number;
}

/**
 * A WebSocket between a session and a client: each way keeps its order and takes its time; a client that does not
 * read fills it up; lost, it takes what was under way with it, and either side hears of it or does not.
 */
export class SimSocket implements Connection {
  readonly id: string;
  readonly #options: SimSocketOptions;
  #session: Session | undefined;
  #open = true;
  #isReading = true;
  #underWay: { readonly weight: number; readonly arrive: () => void }[] = [];
  #underWayBytes = 0;
  /** Of the frames under way, how many are here and wait for the client to read. */
  #arrived = 0;
  #lastToClient = 0;
  #lastToServer = 0;

  constructor(options: SimSocketOptions) {
    this.id = options.id;
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Frames go to this session from now on. */
  serve(session: Session): void {
    this.#session = session;
  }

  // ── The server's half ─────────────────────────────────────────────────────────────────────────────────

  get unsentBytes(): number {
    return Math.max(0, this.#underWayBytes - WINDOW_BYTES);
  }

  send(frame: SharedFrame): void {
    this.sendJson(frame.json.toString());
  }

  sendJson(json: string): void {
    const { listener, weight } = this.#options;
    this.#toClient(json.length * weight, () => listener.onText(json));
  }

  cork(): void {}

  uncork(): void {}

  ping(): void {
    this.#toClient(0, () => this.#toServer((session) => session.heard()));
  }

  close(code: number, reason: string): void {
    this.#toClient(0, () => this.#end(code, reason));
  }

  terminate(): void {
    this.#end(ABNORMAL, '');
  }

  // ── The client's half ─────────────────────────────────────────────────────────────────────────────────

  /** From the client. */
  sendText(text: string): void {
    this.#toServer((session) => session.receive(text));
  }

  /** The client closes. */
  leave(code: number): void {
    this.#toServer((session) => session.gone(code));
    this.#open = false;
  }

  /** The connection is gone; `serverHears`: the server is told, and does not have to find out. */
  lose({ serverHears }: { readonly serverHears: boolean }): void {
    if (serverHears) this.#toServer((session) => session.gone(ABNORMAL));
    this.#end(ABNORMAL, '');
  }

  /** Nothing comes through any more, and nobody is told. */
  goSilent(): void {
    this.#open = false;
  }

  stopReading(): void {
    this.#isReading = false;
  }

  resumeReading(): void {
    this.#isReading = true;
    this.#read();
  }

  #toClient(weight: number, arrive: () => void): void {
    if (!this.#open) return;
    const { clock, latencyMs } = this.#options;
    this.#underWay.push({ weight, arrive });
    this.#underWayBytes += weight;
    this.#lastToClient = Math.max(this.#lastToClient, clock.monotonic() + latencyMs());
    clock.setTimer(this.#lastToClient - clock.monotonic(), () => {
      this.#arrived += 1;
      this.#read();
    });
  }

  #read(): void {
    const wasFull = this.unsentBytes > 0;
    while (this.#open && this.#isReading && this.#arrived > 0) {
      const { weight, arrive } = this.#underWay.shift()!;
      this.#arrived -= 1;
      this.#underWayBytes -= weight;
      arrive();
    }
    if (wasFull && this.unsentBytes === 0) this.#toServer((session) => session.flush());
  }

  #toServer(arrive: (session: Session) => void): void {
    if (!this.#open) return;
    const { clock, latencyMs, process } = this.#options;
    this.#lastToServer = Math.max(this.#lastToServer, clock.monotonic() + latencyMs());
    clock.setTimer(this.#lastToServer - clock.monotonic(), () => {
      const session = this.#session;
      if (session !== undefined) process.enter(() => arrive(session));
    });
  }

  #end(code: number, reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#options.listener.onClose(code, reason);
  }
}
