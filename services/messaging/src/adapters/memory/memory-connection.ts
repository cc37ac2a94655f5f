import { setMaxListeners } from 'node:events';
import type { Clock } from '../../clock.ts';
import { Fault } from '../../errors.ts';

/** What a command on a broken connection ends with; nobody knows whether the server had it. */
export function connectionLost(): Fault {
  return new Fault('unavailable', 'memory: connection lost');
}

/**
 * A connection to a server in memory: commands take time but keep their order, and so do replies; one whose reply
 * was under way when the connection broke has been done and fails all the same.
 */
export class MemoryConnection {
  readonly #clock: Clock;
  readonly #latencyMs: () => number;
  readonly #onLost: (() => void)[] = [];
  readonly #onReady: (() => void)[] = [];
  #broken = breakable();
  #up: boolean;
  #lostAt: number | undefined;
  #reachable = true;
  #closed = false;
  /** When the last command arrives, and the last reply: what is sent later overtakes neither. */
  readonly #arrivals = { command: 0, reply: 0 };

  constructor(options: { readonly clock: Clock; readonly latencyMs: () => number; readonly up: boolean }) {
    this.#clock = options.clock;
    this.#latencyMs = options.latencyMs;
    this.#up = options.up;
  }

  get up(): boolean {
    return this.#up;
  }

  /** For how long there has been no connection since the last one; 0 before the first loss. */
  get downMs(): number {
    return this.#lostAt === undefined ? 0 : this.#clock.monotonic() - this.#lostAt;
  }

  /** Aborted when the present connection breaks. */
  get broken(): AbortSignal {
    return this.#broken.signal;
  }

  onLost(listener: () => void): void {
    this.#onLost.push(listener);
  }

  /** Called for every connection made again, not for the first. */
  onReady(listener: () => void): void {
    this.#onReady.push(listener);
  }

  break(): void {
    if (!this.#up) return;
    this.#up = false;
    this.#lostAt = this.#clock.monotonic();
    this.#broken.abort();
    for (const listener of this.#onLost) listener();
  }

  /** The network between takes nothing any more: it breaks, and is not restored before `rejoin`. */
  cutOff(): void {
    this.#reachable = false;
    this.break();
  }

  /** `restored`: the server is up, and the connection is made again at once. */
  rejoin({ restored }: { readonly restored: boolean }): void {
    this.#reachable = true;
    if (restored) this.restore();
  }

  /** Its process is gone. */
  close(): void {
    this.#closed = true;
    this.break();
  }

  /** Made again, where the network and its process let it. */
  restore(): void {
    if (this.#up || !this.#reachable || this.#closed) return;
    this.#up = true;
    this.#arrivals.command = this.#arrivals.reply = 0;
    this.#broken = breakable();
    for (const listener of this.#onReady) listener();
  }

  /** Sends a command, has the server do it, brings back the reply. */
  async call<T>(command: () => T | Promise<T>): Promise<T> {
    const { signal } = this.#broken;
    await this.#travel('command', signal);
    if (!this.#up || signal.aborted) throw connectionLost();
    const reply = await command();
    await this.#travel('reply', signal);
    if (signal.aborted) throw connectionLost();
    return reply;
  }

  #travel(what: 'command' | 'reply', signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonic();
    const before = this.#arrivals[what];
    const latencyMs = this.#latencyMs();
    // Behind the one before it by more than rounding may take away.
    const delayMs = before > now ? Math.max(latencyMs, before - now + 1e-6) : latencyMs;
    this.#arrivals[what] = now + delayMs;
    return delayMs === 0 ? Promise.resolve() : this.#clock.sleep(delayMs, signal);
  }
}

/** Any number of commands may be under way. */
function breakable(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
