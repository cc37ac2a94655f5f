import {
  CLOSE,
  CURSORS_TIMEOUT_MS,
  type CursorEntry,
  closeCode,
  closeReason,
  type ErrorCode,
  formatTime,
  type GapReason,
  HELLO_TIMEOUT_MS,
  type RequestId,
  type ServerFrame,
} from '@sanctum/protocol';
import { parseClientFrame, type ParsedClientFrame, type ParsedHelloFrame } from '@sanctum/protocol/schemas';
import type { Timer } from '../clock.ts';
import { reasonOf } from '../errors.ts';
import type { Membership, UserSnapshot } from '../ports.ts';
import { Stopped } from './batcher.ts';
import type { Connection } from './connection.ts';
import { Credit } from './credit.ts';
import { FrameRate } from './frame-rate.ts';
import type { Hub } from './hub.ts';
import { applyMembership, applySnapshot } from './membership-changes.ts';
import { openSession } from './opening.ts';
import type { Position } from './position.ts';
import { hasRoom, Pump } from './pump.ts';
import type { MessageItem } from './shared-frame.ts';
import { subscribe, unsubscribe } from './subscribing.ts';
import type { TokenVerifier, VerifiedToken } from './token.ts';

/** Cursors that one connection may bring: twice the conversations that a user can have. */
const CURSORS_MAX = 20_000;
/** Requests that wait behind one that is being answered. */
const REQUESTS_WAITING_MAX = 64;
/** From hello to ready; the log may be away for this long before the client is told to try later. */
const OPENING_MAX_MS = 10_000;

/** A frame that must precede all messages; `costsCredit` ones wait for it. */
export interface ControlFrame {
  readonly frame: ServerFrame;
  readonly costsCredit: boolean;
}

/**
 * One client's connection, as a state machine:
 *
 * `hello`    nothing but a hello is taken, within 5 s
 * `cursors`  hello said `more`: nothing but cursors, the last within 10 s
 * `opening`  the user's channel, then version and memberships are read
 * `live`     `ready` is out; `control` (reset, subscribed) goes first, then the pump
 * `closed`   for good
 *
 * Acks and pings are acted on at once. What asks the log (subscribe, unsubscribe, auth) goes one after another.
 */
export class Session {
  readonly connection: Connection;
  readonly hub: Hub;
  readonly positions = new Map<string, Position>();
  /** Conversations that the user left on this connection → the version of that change: older news is stale. */
  readonly left = new Map<string, number>();
  /** `member` frames that wait for credit: of each conversation the latest alone. */
  readonly notices = new Map<string, ServerFrame>();
  state: 'hello' | 'cursors' | 'opening' | 'live' | 'closed' = 'hello';
  token: VerifiedToken | undefined;
  hello: ParsedHelloFrame | undefined;
  credit = new Credit(1);
  control: ControlFrame[] = [];
  /** Positions that still have to reach the head they had at ready; undefined once caught_up is out. */
  catchingUp: number | undefined = 0;
  /** A newer snapshot that came while the session was opening. */
  pendingSnapshot: UserSnapshot | undefined;
  /** How many snapshots came: an answer of the log that was asked for before one of them may be stale. */
  snapshotsSeen = 0;
  /** For the sweeper: monotonic milliseconds. */
  readonly openedAt: number;
  heardAt: number;
  heartbeatAt: number;
  blockedSince: number | undefined;
  writesStalledSince: number | undefined;
  lastUnsentBytes = 0;
  goingAway = false;
  readonly cursors = new Map<string, number>();
  readonly #verifier: TokenVerifier;
  readonly #headerToken: string | undefined;
  readonly #pump = new Pump(this);
  readonly #rate: FrameRate;
  #deadline: Timer | undefined;
  #expiry: Timer | undefined;
  #requests: Promise<void> = Promise.resolve();
  #requestsWaiting = 0;
  #opened = false;

  constructor(options: {
    connection: Connection;
    hub: Hub;
    verifier: TokenVerifier;
    headerToken: string | undefined;
  }) {
    this.connection = options.connection;
    this.hub = options.hub;
    this.#verifier = options.verifier;
    this.#headerToken = options.headerToken;
    const { clock } = options.hub;
    this.openedAt = this.heardAt = clock.monotonic();
    this.heartbeatAt = this.openedAt + options.hub.settings.heartbeatMs;
    this.#rate = new FrameRate(clock);
    this.#deadline = clock.setTimer(HELLO_TIMEOUT_MS, () => this.close(CLOSE.hello_timeout));
  }

  get userId(): string {
    return this.token?.userId ?? '';
  }

  get subscribesToAll(): boolean {
    return this.hello?.subscribe === 'all';
  }

  has(position: Position): boolean {
    return this.positions.get(position.feed.conversationId) === position;
  }

  // ── From the client ───────────────────────────────────────────────────────────────────────────────────

  /** A text frame of the client. */
  receive(text: string): void {
    if (this.state === 'closed') return;
    this.heardAt = this.hub.clock.monotonic();
    const parsed = parseClientFrame(text);
    if (parsed.ok && parsed.frame.type === 'ack' && this.state === 'live')
      return this.#acknowledge(parsed.frame.delivered);
    const waitMs = this.#rate.take();
    if (waitMs > 0) return this.close(CLOSE.rate_limited, waitMs);
    if (!parsed.ok) {
      if (parsed.fatal || this.state !== 'live') return this.close(CLOSE.bad_frame);
      return this.sendError(parsed.code, parsed.id);
    }
    this.#act(parsed.frame);
  }

  /** The client sent a binary frame. */
  receiveBinary(): void {
    this.close(CLOSE.bad_frame);
  }

  /** The transport heard a pong. */
  heard(): void {
    this.heardAt = this.hub.clock.monotonic();
  }

  #act(frame: ParsedClientFrame): void {
    if (this.state === 'hello') {
      if (frame.type !== 'hello') return this.close(CLOSE.bad_frame);
      this.#background(this.#greet(frame));
    } else if (this.state === 'cursors') {
      if (frame.type !== 'cursors') return this.close(CLOSE.bad_frame);
      if (!this.#addCursors(frame.cursors)) return this.close(CLOSE.bad_frame);
      if (!frame.more) this.#background(this.#open());
    } else if (this.state === 'opening') {
      // Not even a ping: the contract lets nothing but cursors stand before `ready`.
      this.close(CLOSE.bad_frame);
    } else if (frame.type === 'ping') {
      this.sendFrame({ type: 'pong', id: frame.id, server_time: formatTime(this.hub.clock.now()) });
    } else if (frame.type === 'subscribe' || frame.type === 'unsubscribe' || frame.type === 'auth') {
      this.#request(frame);
    } else {
      // a second hello, cursors too late, an ack before ready
      this.close(CLOSE.bad_frame);
    }
  }

  #request(frame: ParsedClientFrame): void {
    if (this.#requestsWaiting >= REQUESTS_WAITING_MAX) return this.close(CLOSE.rate_limited, 1000);
    this.#requestsWaiting += 1;
    this.#requests = this.#requests.then(async () => {
      this.#requestsWaiting -= 1;
      if (this.state === 'closed') return;
      try {
        if (frame.type === 'subscribe') await subscribe(this, frame);
        else if (frame.type === 'unsubscribe') unsubscribe(this, frame);
        else if (frame.type === 'auth') await this.#renew(frame.token);
      } catch (error) {
        this.#failed(error);
      }
    });
  }

  #acknowledge(delivered: number): void {
    const result = this.credit.acknowledge(delivered);
    if (result === false) return this.close(CLOSE.bad_frame);
    if (!result.advanced && this.#rate.take() > 0) return this.close(CLOSE.rate_limited, 1000);
    if (result.occurredAt !== undefined) {
      this.hub.metrics.endToEndSeconds.observe(Math.max(0, this.hub.clock.now() - result.occurredAt) / 1000);
    }
    if (result.advanced) this.flush();
  }

  // ── Who it is ─────────────────────────────────────────────────────────────────────────────────────────

  /** Verifies the token of the upgrade before anything else is read. */
  async authenticateHeader(): Promise<void> {
    if (this.#headerToken !== undefined) this.#background(this.#authenticate(this.#headerToken));
  }

  async #greet(hello: ParsedHelloFrame): Promise<void> {
    this.state = hello.more ? 'cursors' : 'opening';
    this.hello = hello;
    if (hello.token !== undefined && this.#headerToken !== undefined) return this.close(CLOSE.bad_frame);
    this.#deadline?.cancel();
    this.#deadline = this.hub.clock.setTimer(CURSORS_TIMEOUT_MS, () => this.close(CLOSE.hello_timeout));
    this.credit = new Credit(hello.credit);
    if (!this.#addCursors(hello.cursors ?? [])) return this.close(CLOSE.bad_frame);
    await this.#authenticate(this.#headerToken ?? hello.token);
    if (this.state === 'opening') await this.#open();
  }

  /** Closes the session where the token is no good. */
  async #authenticate(token: string | undefined): Promise<void> {
    const result = await this.#verifier.verify(token);
    if (this.#isClosed()) return;
    if (result.ok) {
      this.#accept(result);
      return;
    }
    this.sendError(result.code);
    if (result.code === 'token_expired') this.close(CLOSE.token_expired);
    else if (result.code === 'unavailable') this.close(CLOSE.try_later, this.hub.retryHintMs());
    else this.close(CLOSE.token_invalid);
  }

  #accept(token: VerifiedToken): void {
    this.token = token;
    this.#expiry?.cancel();
    // Timers hold 31 bits; a token that lives longer than 24 days is looked at again then.
    const leftMs = Math.min(token.expiresAt - this.hub.clock.now(), 2 ** 31 - 1);
    this.#expiry = this.hub.clock.setTimer(Math.max(0, leftMs), () => {
      if (token.expiresAt > this.hub.clock.now()) this.#accept(token);
      else this.close(CLOSE.token_expired);
    });
  }

  async #renew(token: string): Promise<void> {
    const result = await this.#verifier.verify(token);
    if (this.#isClosed()) return;
    if (!result.ok) return this.sendError(result.code);
    if (result.userId !== this.userId) return this.sendError('token_invalid');
    this.#accept(result);
    this.sendFrame({ type: 'authenticated', expires_at: formatTime(result.expiresAt) });
    if (!result.scopes.has('messaging:operate')) {
      const lost = [...this.positions.values()].filter((position) => position.isOperators);
      if (lost.length > 0)
        unsubscribe(this, { conversations: lost.map((position) => position.feed.conversationId) });
    }
  }

  #addCursors(entries: readonly CursorEntry[]): boolean {
    for (const [conversationId, seq] of entries) {
      if (this.cursors.has(conversationId) || this.cursors.size >= CURSORS_MAX) return false;
      this.cursors.set(conversationId, seq);
    }
    return true;
  }

  async #open(): Promise<void> {
    this.state = 'opening';
    this.#deadline?.cancel();
    this.#deadline = this.hub.clock.setTimer(OPENING_MAX_MS, () =>
      this.close(CLOSE.try_later, this.hub.retryHintMs()),
    );
    // The last cursors may come while the token is still being verified, or when only the upgrade's was.
    if (this.token === undefined || this.#opened) return;
    this.#opened = true;
    await openSession(this);
    if (this.#isClosed()) return;
    this.#deadline.cancel();
  }

  // ── Memberships ───────────────────────────────────────────────────────────────────────────────────────

  applyMemberships(snapshot: UserSnapshot): void {
    this.snapshotsSeen += 1;
    if (this.state === 'live') applySnapshot(this, snapshot);
    else this.pendingSnapshot = snapshot;
  }

  /** A check of this one membership: `undefined`, the user was never a member. */
  applyMember(position: Position, membership: Membership | undefined, version: number): void {
    applyMembership(this, position, membership, version);
  }

  remove(position: Position): void {
    this.positions.delete(position.feed.conversationId);
    this.hub.feeds.detach(position);
    this.reached(position);
  }

  // ── To the client ─────────────────────────────────────────────────────────────────────────────────────

  /** Something may be due: sends as much as may be sent. */
  flush(): void {
    if (this.state !== 'live') return;
    this.connection.cork();
    this.#sendControl();
    if (this.control.length === 0 && this.notices.size === 0) this.#pump.run();
    this.#tellCaughtUp();
    this.connection.uncork();
    this.#noteBlocked();
  }

  due(position: Position): void {
    this.#pump.add(position);
    this.hub.schedule(this);
  }

  maySend(): boolean {
    return this.credit.left > 0 && this.state === 'live' && hasRoom(this.connection.unsentBytes);
  }

  sendMessage(position: Position, item: MessageItem): void {
    this.connection.send(item.frame);
    this.hub.metrics.transportMessagesSent.inc();
    if (!item.live) this.hub.metrics.hubGapFills.inc({ source: 'postgres' });
    else if (position.catchUpTo !== undefined) this.hub.metrics.hubGapFills.inc({ source: 'ring' });
    this.credit.spend(this.hub.clock.monotonic(), item.live ? item.occurredAt : undefined);
    this.#advance(position, item.to);
  }

  /** A message that the reader has had: its cursor stays. */
  sendReplay(item: MessageItem): void {
    this.connection.send(item.frame);
    this.hub.metrics.transportMessagesSent.inc();
    this.credit.spend(this.hub.clock.monotonic());
  }

  sendGap(position: Position, to: number, reason: GapReason): void {
    this.#sendCredited({
      type: 'gap',
      conversation_id: position.feed.conversationId,
      from: position.cursor + 1,
      to,
      reason,
    });
    this.#advance(position, to);
  }

  sendFrame(frame: ServerFrame): void {
    if (this.state !== 'closed') this.connection.sendJson(JSON.stringify(frame));
  }

  sendError(code: ErrorCode, id?: RequestId, retryAfterMs?: number): void {
    this.hub.metrics.transportErrors.inc({ code });
    this.sendFrame({
      type: 'error',
      ...(id === undefined ? {} : { id }),
      code,
      ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
    });
  }

  /** A position has reached what it had to before caught_up, or does not have to any more. */
  reached(position: Position): void {
    if (position.catchUpTo === undefined) return;
    position.catchUpTo = undefined;
    if (this.catchingUp !== undefined) this.catchingUp -= 1;
  }

  close(code: number, retryAfterMs?: number): void {
    if (this.state === 'closed') return;
    this.hub.metrics.transportConnectionsClosed.inc({ code: String(code) });
    this.connection.close(code, closeReason(retryAfterMs));
    this.#end();
  }

  /** The client is gone, with this code. */
  gone(code: number): void {
    if (this.state === 'closed') return;
    // A peer may send any code: one of ours, or `other`.
    this.hub.metrics.transportConnectionsClosed.inc({
      code: closeCode(code) === undefined ? 'other' : String(code),
    });
    this.#end();
  }

  /** Pages are read again when the client goes on: ten thousand slow clients must not hold one each. */
  releasePages(): void {
    for (const position of this.positions.values()) position.page = undefined;
  }

  #end(): void {
    this.state = 'closed';
    this.#deadline?.cancel();
    this.#expiry?.cancel();
    for (const position of this.positions.values()) this.hub.feeds.detach(position);
    this.positions.clear();
    this.hub.forget(this);
  }

  #advance(position: Position, to: number): void {
    position.cursor = to;
    if (position.catchUpTo !== undefined && to >= position.catchUpTo) this.reached(position);
  }

  #sendCredited(frame: ServerFrame): void {
    this.connection.sendJson(JSON.stringify(frame));
    this.credit.spend(this.hub.clock.monotonic());
  }

  #sendControl(): void {
    let done = 0;
    for (const { frame, costsCredit } of this.control) {
      if (!hasRoom(this.connection.unsentBytes) || (costsCredit && this.credit.left <= 0)) break;
      if (costsCredit) this.#sendCredited(frame);
      else this.sendFrame(frame);
      done += 1;
    }
    if (done > 0) this.control = this.control.slice(done);
    if (this.control.length > 0) return;
    for (const [conversationId, frame] of this.notices) {
      if (!this.maySend()) return;
      this.notices.delete(conversationId);
      this.#sendCredited(frame);
    }
  }

  #tellCaughtUp(): void {
    if (this.catchingUp !== 0 || this.control.length > 0) return;
    this.catchingUp = undefined;
    this.sendFrame({ type: 'caught_up' });
  }

  #noteBlocked(): void {
    const blocked = !this.maySend() && (!this.#pump.idle || this.notices.size > 0 || this.control.length > 0);
    if (!blocked) this.blockedSince = undefined;
    else if (this.blockedSince === undefined) {
      this.blockedSince = this.hub.clock.monotonic();
      this.hub.metrics.transportSlowConsumers.inc();
    }
  }

  #isClosed(): boolean {
    return this.state === 'closed';
  }

  #background(work: Promise<void>): void {
    work.catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    if (!(error instanceof Stopped)) this.hub.log.error('session_failed', { reason: reasonOf(error) });
    this.close(error instanceof Stopped ? CLOSE.try_later : CLOSE.server_error, this.hub.retryHintMs());
  }
}
