import type { HelloFrame, ServerFrame } from '@sanctum/protocol';
import { fullJitterMs } from '../backoff.ts';
import { sleep, type Clock } from '../clock.ts';
import type { CursorBook, CursorSnapshot, Effect } from '../cursor-book.ts';
import { reseatsOf } from '../overlap.ts';
import type { Status } from '../receiving/events.ts';
import type { SanctumError } from '../sanctum-error.ts';
import type { TokenSource } from '../token-source.ts';
import { afterEnd, retry, type Next } from './after-end.ts';
import { Link, type LinkEnd } from './link.ts';
import { Pause } from './pause.ts';
import { Renewal } from './renewal.ts';
import { Repairs } from './repairs.ts';
import type { WebSocketConstructor } from './web-socket-like.ts';

/** The pauses between tries, and so the bound on how often a client connects: see `fullJitterMs`. */
export const CONNECT_BACKOFF = { baseMs: 500, capMs: 30_000 } as const;
/** A connection that was ready for so long was a good one: the next failure is the first again. */
export const STABLE_MS = 30_000;

export interface ConnectionOptions {
  readonly WebSocket: WebSocketConstructor;
  /** As `wss://chat.example/ws`. */
  readonly url: string;
  readonly userId: string;
  readonly tokens: TokenSource;
  readonly clock: Clock;
  readonly book: CursorBook;
  /** What `hello` says besides token, epoch and cursors. */
  readonly hello: () => Omit<HelloFrame, 'type' | 'token' | 'epoch' | 'cursors' | 'more'>;
  /** Each frame of the connection that counts; what the cursor rule said of it. */
  readonly onFrame: (frame: ServerFrame) => readonly Effect[];
  /** A connection is ready, its `ready` has been taken. */
  readonly onReady: (link: Link) => void;
  /** How many frames wait for the application beyond what fits. */
  readonly surplus: () => number;
  readonly onStatus: (status: Status) => void;
  /** There is no token; another one is asked for after a pause. */
  readonly onTrouble: (error: SanctumError) => void;
  readonly signal: AbortSignal;
}

/** What belongs to one connection, and must not outlive it. */
interface Session {
  readonly link: Link;
  readonly renewal: Renewal;
  readonly repairs: Repairs;
}

/**
 * One connection after another; the cursors outlive each of them.
 *
 *     connecting ──ready──▶ online ──closed, silent, fault──▶ waiting ──▶ connecting
 *                             │
 *                          goaway: connecting anew, following all the while; at the new one's
 *                                  ready the old one is closed
 *
 * Every way to a new socket goes through `#pause`, or through a `goaway` that does where it comes too often. Only
 * one link counts at a time: what another one brings, or brings too late, is dropped.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  #session: Session | undefined;
  #pending: Link | undefined;
  #pausing: Pause | undefined;
  /** The token that was used last. */
  #token: string | undefined;
  /** The book as of the last hello. */
  #said: CursorSnapshot | undefined;
  #whenRoom: () => void = () => undefined;
  #failures = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Runs until the signal is aborted, or until trying again would end the same way. @throws SanctumError then */
  async run(): Promise<void> {
    const { signal } = this.#options;
    const leave = () => {
      this.#pausing?.end();
      this.#whenRoom();
      this.#pending?.finish({ kind: 'left' });
      this.#session?.link.finish({ kind: 'left' });
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      let link = await this.#connect(undefined);
      while (link !== undefined) link = await this.#connect(await this.#untilOver(link));
    } finally {
      signal.removeEventListener('abort', leave);
      leave();
    }
  }

  /** The network or the machine is back: a doubtful connection is probed, a pause cut short. */
  wake(): void {
    this.#pausing?.cutShort();
    this.#session?.link.probe();
  }

  /** The inbox, which was too full, is less so. */
  roomMade(): void {
    this.#whenRoom();
    this.#session?.link.roomMade();
  }

  /** Waits until a connection has ended (how), or another one should take its place (undefined). */
  async #untilOver(link: Link): Promise<LinkEnd | undefined> {
    const over = await Promise.race([link.ended, link.goaway]);
    if ('kind' in over) {
      this.#countEnd(link);
      return over;
    }
    const { clock, signal } = this.#options;
    // The first one moves exactly when it is told to. One that is sent on again and again backs off besides.
    this.#countEnd(link);
    const afterMs = over.reconnect_after_ms;
    const pauseMs = this.#failures > 1 ? this.#backoffMs(afterMs) : afterMs;
    return Promise.race([link.ended, sleep(clock, pauseMs, signal) as Promise<undefined>]);
  }

  /** Connects, as often as it takes; undefined once it shall stop. */
  async #connect(ended: LinkEnd | undefined): Promise<Link | undefined> {
    const { signal, tokens } = this.#options;
    let next = ended && afterEnd(ended, tokens);
    while (!signal.aborted) {
      if (next !== undefined) await this.#pause(next);
      await this.#room();
      if (signal.aborted) break;
      try {
        const isOld = next?.action === 'retry' && next.renew;
        this.#token = await (isOld ? tokens.renew(this.#token) : tokens.current());
      } catch (error) {
        this.#failures++;
        next = this.#afterNoToken(error as SanctumError);
        continue;
      }
      if (signal.aborted) break;
      const link = this.#open(this.#token);
      const isReady = await Promise.race([link.ready.then(() => true), link.ended.then(() => false)]);
      this.#pending = undefined;
      if (isReady) return link;
      this.#failures++;
      next = afterEnd(await link.ended, tokens);
    }
    return undefined;
  }

  /** @param error of the token source, which throws no other */
  #afterNoToken(error: SanctumError): Next {
    if (!error.retryable) return { action: 'stop', error };
    this.#options.onTrouble(error);
    return retry(error.message, { renew: true });
  }

  /** @throws SanctumError where trying again would end the same way */
  async #pause(next: Next): Promise<void> {
    if (next.action === 'stop') throw next.error;
    const { clock, signal } = this.#options;
    const { floorMs, why } = next;
    const lengthMs = this.#backoffMs(floorMs);
    // Told first, so that it is never shorter than what was told.
    this.#tell({ state: 'waiting', retryInMs: lengthMs, why });
    if (signal.aborted) return;
    this.#pausing = new Pause(clock, { lengthMs, floorMs });
    await this.#pausing.over;
    this.#pausing = undefined;
  }

  /** After at least one failure. */
  #backoffMs(floorMs: number): number {
    const failures = this.#failures - 1;
    return fullJitterMs(this.#options.clock, { ...CONNECT_BACKOFF, failures, floorMs });
  }

  /** A connection is over: short ones are failures, a long one makes good for those before it. */
  #countEnd({ readyAtMs }: Link): void {
    const livedMs = this.#options.clock.monotonic() - (readyAtMs ?? Infinity);
    this.#failures = livedMs >= STABLE_MS ? 1 : this.#failures + 1;
  }

  /** While the application is so far behind, a new connection would only bring more. */
  async #room(): Promise<void> {
    const { surplus, signal } = this.#options;
    while (surplus() > 0 && !signal.aborted) await new Promise<void>((resolve) => (this.#whenRoom = resolve));
  }

  #open(token: string): Link {
    const { book, hello } = this.#options;
    const link = (this.#pending = new Link({
      ...this.#options,
      hello: () => {
        this.#said = book.snapshot();
        return book.helloFrames({ ...hello(), token });
      },
      onFrame: (from, frame) => this.#take(from, frame, token),
    }));
    this.#tell({ state: 'connecting' });
    return link;
  }

  /** Told when it is begun, since a listener may close the client; while an older connection goes on it is no news. */
  #tell(status: Status): void {
    if (this.#session?.link.isOver !== false) this.#options.onStatus(status);
  }

  #take(link: Link, frame: ServerFrame, token: string): void {
    const { signal, onFrame } = this.#options;
    if (signal.aborted) return;
    if (frame.type === 'ready') {
      this.#welcome(link, frame, token);
      if (link.isOver) return;
    }
    const session = this.#session;
    // Another connection has taken its place, or it says something before `ready`.
    if (session?.link !== link) return;
    for (const effect of onFrame(frame)) {
      if (effect.kind === 'fault') session.repairs.fault(effect.conversationId);
    }
    session.repairs.take(frame);
    if (frame.type === 'authenticated') session.renewal.accepted(frame.expires_at);
    if (frame.type === 'error' && frame.id === undefined && /^token|^revoked/.test(frame.code)) {
      session.renewal.refused();
    }
    if (frame.type === 'ready') {
      const { book, onReady } = this.#options;
      for (const { conversationId, cursor } of reseatsOf(this.#said!, book)) {
        session.repairs.fault(conversationId, cursor);
      }
      onReady(link);
    }
  }

  /** A connection is ready: from now on it is the one that counts, and an older one is done. */
  #welcome(link: Link, ready: ServerFrame & { type: 'ready' }, token: string): void {
    const { userId, book } = this.#options;
    if (ready.user_id !== userId) {
      // As if the service had refused it: the login is somebody else's.
      return link.finish({ kind: 'closed', code: 4501, hintMs: 0 });
    }
    this.#session?.link.finish({ kind: 'left' });
    this.#session = {
      link,
      renewal: new Renewal(link, { ...this.#options, ready, token }),
      repairs: new Repairs(link, book),
    };
  }
}
