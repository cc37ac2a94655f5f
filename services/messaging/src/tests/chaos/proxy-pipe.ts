import type { Socket } from 'node:net';

/** How bytes go one way through a proxy. */
export interface Way {
  /** Each byte arrives this much later. */
  delayMs: number;
  /** Infinity: as fast as they come. */
  bytesPerSecond: number;
  /** Nothing passes, not even the news that a side has closed; it waits, as behind a network that is cut. */
  held: boolean;
  /** A connection is reset as these bytes are about to pass; undefined: none is. */
  breaksOn: Buffer | undefined;
}

export function openWay(): Way {
  return { delayMs: 0, bytesPerSecond: Infinity, held: false, breaksOn: undefined };
}

/** Read from one side and not yet written to the other; beyond it the sender's own buffers fill. */
const WAITING_BYTES_MAX = 256 * 1024;
const THROTTLE_STEP_MS = 20;

/** One direction of one proxied connection. Bytes keep their order, whatever the way does to them. */
export class ProxyPipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #way: Way;
  readonly #onBytes: (count: number) => void;
  readonly #onBreak: () => void;
  readonly #waiting: { bytes: Buffer; readonly dueAt: number }[] = [];
  #waitingBytes = 0;
  #tail = Buffer.alloc(0);
  #end: 'closed' | 'reset' | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isBlocked = false;
  #isOver = false;

  constructor(
    sockets: { readonly from: Socket; readonly to: Socket },
    way: Way,
    told: { readonly onBytes: (count: number) => void; readonly onBreak: () => void },
  ) {
    this.#from = sockets.from;
    this.#to = sockets.to;
    this.#way = way;
    this.#onBytes = told.onBytes;
    this.#onBreak = told.onBreak;
    this.#from.on('data', (bytes: Buffer) => this.#take(bytes));
    this.#from.on('end', () => this.#ended('closed'));
    this.#from.on('error', () => this.#ended('reset'));
    this.#from.on('close', () => this.#ended('closed'));
    this.#to.on('drain', () => {
      this.#isBlocked = false;
      this.pump();
    });
    this.#to.on('close', () => {
      this.#isOver = true;
      clearTimeout(this.#timer);
    });
  }

  /** Looks anew at what may pass: after a change of the way. */
  pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (!this.#isOver && !this.#way.held && !this.#isBlocked) {
      const next = this.#waiting[0];
      if (next === undefined) return this.#passOnEnd();
      const waitMs = next.dueAt - performance.now();
      if (waitMs > 0) return this.#later(waitMs);
      const share = Math.max(1, Math.floor((this.#way.bytesPerSecond * THROTTLE_STEP_MS) / 1000));
      this.#pass(next, Math.min(share, next.bytes.length));
      if (Number.isFinite(this.#way.bytesPerSecond)) return this.#later(THROTTLE_STEP_MS);
    }
  }

  #take(bytes: Buffer): void {
    const { breaksOn, delayMs } = this.#way;
    if (breaksOn !== undefined) {
      // The bytes looked for may be split over two reads.
      const seen = Buffer.concat([this.#tail, bytes]);
      if (seen.includes(breaksOn)) return this.#onBreak();
      this.#tail = seen.subarray(Math.max(0, seen.length - breaksOn.length + 1));
    }
    this.#waiting.push({ bytes, dueAt: performance.now() + delayMs });
    this.#waitingBytes += bytes.length;
    this.#regulate();
    this.pump();
  }

  #pass(next: { bytes: Buffer }, count: number): void {
    const bytes = next.bytes.subarray(0, count);
    if (count === next.bytes.length) this.#waiting.shift();
    else next.bytes = next.bytes.subarray(count);
    this.#waitingBytes -= count;
    this.#onBytes(count);
    this.#isBlocked = !this.#to.write(bytes);
    this.#regulate();
  }

  #regulate(): void {
    if (this.#waitingBytes > WAITING_BYTES_MAX) this.#from.pause();
    else if (this.#from.isPaused()) this.#from.resume();
  }

  #ended(how: 'closed' | 'reset'): void {
    this.#end ??= how;
    if (this.#timer === undefined) this.pump();
  }

  #passOnEnd(): void {
    if (this.#end === 'reset') this.#to.resetAndDestroy();
    else if (this.#end === 'closed') this.#to.end();
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => this.pump(), ms);
  }
}
