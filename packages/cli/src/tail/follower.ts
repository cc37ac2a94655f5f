import { CursorBook, type Effect } from '@sanctum/client';
import type { Clock } from '@sanctum/messaging/clock';
import type { ReadyFrame, ServerFrame } from '@sanctum/protocol';
import { fullJitterMs } from '../backoff.ts';
import type { CliError } from '../cli-error.ts';
import type { After } from '../option-values.ts';
import type { TokenSource } from '../tokens.ts';
import { afterEnd, type LinkEnd } from './after-end.ts';
import { Link } from './link.ts';
import { Subscription } from './subscription.ts';
import { gapEvent, memberEvent, messageEvent, type TailEvent } from './tail-event.ts';

const BACKOFF = { baseMs: 500, capMs: 30_000 } as const;
/** A connection that lived so long was a good one: the next failure is the first again. */
const STABLE_MS = 30_000;

/** One conversation, or all of the user's. */
export type Target =
  | { readonly kind: 'conversation'; readonly conversationId: string; readonly after: After }
  | { readonly kind: 'all'; readonly after: 'start' | 'head' };

export interface FollowerOptions {
  /** As `http://127.0.0.1:8083`. */
  readonly url: string;
  readonly tokens: TokenSource;
  readonly target: Target;
  readonly clock: Clock;
  readonly onEvent: (event: TailEvent) => void;
  readonly note: (text: string) => void;
}

/**
 * Follows conversations over as many connections as it takes; the cursors outlive each of them.
 *
 *     connecting ──ready──▶ following ──closed, silent, fault──▶ pausing ──▶ connecting
 *                              │
 *                           goaway: connecting anew, following all the while; at the new one's
 *                                   ready the old one is closed
 *
 * It stops when its signal is aborted, or with an error where trying again would end the same way.
 */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #book = new CursorBook();
  readonly #links = new Set<Link>();
  readonly #subscription: Subscription | undefined;
  #signal: AbortSignal = AbortSignal.abort();
  #current: Link | undefined;
  #wasConnected = false;
  #caughtUp = false;
  #failures = 0;
  /** Conversations in which the server broke the rules on this connection, and that were asked for again. */
  readonly #repairs = new Map<string, 'asked' | 'answered'>();

  constructor(options: FollowerOptions) {
    this.#options = options;
    const { target } = options;
    if (target.kind === 'conversation') this.#subscription = new Subscription(this.#book, target);
  }

  /** Resolves after `signal` is aborted and every socket is closed. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const leave = () => {
      for (const link of this.#links) link.finish({ kind: 'left' });
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      let link = await this.#connect(undefined);
      while (link !== undefined) link = await this.#connect(await this.#untilOver(link));
    } finally {
      signal.removeEventListener('abort', leave);
      leave();
      await Promise.all([...this.#links].map((link) => link.closed));
    }
  }

  /** Waits until a connection has ended (how), or another one should take its place (undefined). */
  async #untilOver(link: Link): Promise<LinkEnd | undefined> {
    const over = await Promise.race([link.ended, link.goaway]);
    if ('kind' in over) return over;
    this.#options.note(`the server is going away: moving to another in ${over.reconnect_after_ms} ms`);
    const { clock } = this.#options;
    const moment = clock.sleep(over.reconnect_after_ms, this.#signal).then(() => undefined);
    return Promise.race([link.ended, moment]);
  }

  /** Connects, as often as it takes; undefined once it shall stop. */
  async #connect(ended: LinkEnd | undefined): Promise<Link | undefined> {
    let end = ended;
    while (!this.#signal.aborted) {
      if (end !== undefined) await this.#pause(end);
      if (this.#signal.aborted) break;
      const link = this.#open(await this.#options.tokens.next());
      const isReady = await Promise.race([link.ready.then(() => true), link.ended.then(() => false)]);
      if (isReady) return link;
      end = await link.ended;
    }
    return undefined;
  }

  async #pause(end: LinkEnd): Promise<void> {
    const { url, tokens, clock, note } = this.#options;
    const next = afterEnd(end, { url, wasConnected: this.#wasConnected, isRenewable: tokens.isRenewable });
    if (next.action === 'stop') throw next.error;
    const delayMs = fullJitterMs(clock, { ...BACKOFF, failures: this.#failures++, floorMs: next.floorMs });
    note(`${next.why}; connecting again in ${delayMs} ms`);
    await clock.sleep(delayMs, this.#signal);
  }

  #open(token: string): Link {
    const { target, clock } = this.#options;
    const withoutCursor = target.kind === 'all' && !this.#caughtUp ? target.after : 'start';
    const hello = this.#book.helloFrames(
      target.kind === 'all' ? { subscribe: 'all', without_cursor: withoutCursor } : { subscribe: 'none' },
    );
    const url = `${this.#options.url.replace(/^http/, 'ws')}/ws`;
    const link = new Link({ url, token, clock, hello, onFrame: (from, frame) => this.#take(from, frame) });
    this.#links.add(link);
    void link.ended.then(() => {
      if (link === this.#current && clock.monotonic() - link.openedAt >= STABLE_MS) this.#failures = 0;
    });
    void link.closed.then(() => this.#links.delete(link));
    return link;
  }

  #take(link: Link, frame: ServerFrame): void {
    if (frame.type === 'ready') this.#welcome(link, frame);
    if (frame.type === 'caught_up') this.#caughtUp = true;
    if (frame.type === 'error') this.#noteError(link, frame);
    if (frame.type === 'reset') this.#options.onEvent(resetEvent(frame));
    if (frame.type === 'subscribed') this.#noteAnswered(frame);
    for (const effect of this.#book.apply(frame)) {
      // What has been printed enough for may have ended it.
      if (this.#signal.aborted) return;
      this.#act(link, effect);
    }
    if (frame.type === 'ready') this.#subscription?.ask(link);
  }

  /** A connection is ready: from now on it is the one that counts, and an older one is done. */
  #welcome(link: Link, ready: ReadyFrame): void {
    this.#current?.finish({ kind: 'left' });
    this.#current = link;
    this.#repairs.clear();
    if (!this.#wasConnected) this.#options.note(`connected to ${this.#options.url} as ${ready.user_id}`);
    else this.#options.note('connected again');
    this.#wasConnected = true;
    const reset = this.#subscription?.resetAt(ready);
    if (reset !== undefined) this.#take(link, reset);
  }

  #act(link: Link, effect: Effect): void {
    const { onEvent } = this.#options;
    switch (effect.kind) {
      case 'deliver':
      case 'deliver_late':
        return onEvent(messageEvent(effect.frame, { late: effect.kind === 'deliver_late' }));
      case 'moved':
        return onEvent(gapEvent(effect.frame));
      case 'joined':
      case 'left':
        onEvent(memberEvent(effect.frame));
        return this.#finishWith(link, effect.kind === 'left' ? this.#subscription?.lost() : undefined);
      case 'refused':
        if (this.#subscription === undefined) {
          return onEvent({ type: 'refused', conversation_id: effect.conversationId, code: effect.code });
        }
        return this.#refused(link, this.#subscription, effect.code);
      case 'seated':
        this.#subscription?.seated();
        return;
      case 'drop':
        if (effect.frame.type === 'message' && (effect.frame.replay ?? 0) > 0) {
          this.#options.note(
            `#${effect.frame.seq} of ${effect.conversationId} was sent again by an operator`,
          );
        }
        return;
      case 'fault':
        return this.#repair(link, effect.conversationId);
      case 'reset':
        return;
    }
  }

  #refused(link: Link, subscription: Subscription, code: string): void {
    const verdict = subscription.refused(code);
    if (verdict.kind === 'stop') return this.#finishWith(link, verdict.error);
    this.#take(link, verdict.reset);
    subscription.ask(link);
  }

  #finishWith(link: Link, error: CliError | undefined): void {
    if (error !== undefined) link.finish({ kind: 'left', error });
  }

  /** The rule for a server's fault: subscribe again, and when that did not help, reconnect. */
  #repair(link: Link, conversationId: string): void {
    const state = this.#repairs.get(conversationId);
    if (state === 'asked') return;
    const cursor = this.#book.cursorOf(conversationId);
    if (state === 'answered' || cursor === undefined) {
      return link.finish({ kind: 'fault', detail: `a seq is missing in ${conversationId}` });
    }
    this.#repairs.set(conversationId, 'asked');
    this.#options.note(`a seq is missing in ${conversationId} behind #${cursor}; asking for it again`);
    const conversations = [{ conversation_id: conversationId, after: cursor }];
    link.send({ type: 'subscribe', id: `repair:${conversationId}`, conversations });
  }

  #noteAnswered({ id, conversations }: ServerFrame & { type: 'subscribed' }): void {
    if (id === undefined) return;
    for (const { conversation_id } of conversations) {
      if (this.#repairs.has(conversation_id)) this.#repairs.set(conversation_id, 'answered');
    }
  }

  #noteError(link: Link, { id, code }: ServerFrame & { type: 'error' }): void {
    // Every request of this client asks for what it cannot do without.
    if (id !== undefined) link.finish({ kind: 'fault', detail: `it answered ${code} to a subscribe` });
    else this.#options.note(`the server says: ${code}`);
  }
}

function resetEvent({ conversation_id, epoch, reason }: ServerFrame & { type: 'reset' }): TailEvent {
  return { type: 'reset', conversation_id, epoch, reason };
}
