import {
  CLOSE,
  closeCode,
  closeReason,
  type ErrorCode,
  formatTime,
  type GapReason,
  type RequestId,
  type ServerFrame,
} from '@sanctum/protocol';
import { parseClientFrame, type ParsedClientFrame, type ParsedHelloFrame } from '@sanctum/protocol/schemas';
import { reasonOf } from '../errors.ts';
import type { Membership, UserSnapshot } from '../ports.ts';
import { Stopped } from './batcher.ts';
import type { Connection } from './connection.ts';
import { FrameRate } from './frame-rate.ts';
import { Handshake } from './handshake.ts';
import type { Hub } from './hub.ts';
import { applyMembership, applySnapshot } from './membership-changes.ts';
import { Login } from './login.ts';
import type { Position } from './position.ts';
import { Outbound } from './outbound.ts';
import { hasRoom, Pump } from './pump.ts';
import { RequestQueue } from './request-queue.ts';
import type { MessageItem } from './shared-frame.ts';
import { subscribe, unsubscribe } from './subscribing.ts';
import type { TokenVerifier, VerifiedToken } from './token.ts';

/** Conversations left on this connection that are remembered. Of an older one, stale news is healed by its next message. */
const LEFT_MAX = 10_000;

/**
 * One client's connection, as a state machine:
 *
 * `hello`    nothing but a hello is taken, within 5 s
 * `cursors`  hello said `more`: nothing but cursors, the last within 10 s
 * `opening`  the user's channel, then version and memberships are read
 * `live`     `ready` is out; what must precede goes first (outbound.ts), then the pump
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
  state: 'hello' | 'cursors' | 'opening' | 'live' | 'closed' = 'hello';
  /** What it asked for; its cursors and token are not kept longer than they are needed. */
  hello: Omit<ParsedHelloFrame, 'cursors' | 'token'> | undefined;
  readonly out: Outbound;
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
  /** When the client last acknowledged something new. */
  advancedAt = 0;
  writesStalledSince: number | undefined;
  lastUnsentBytes = 0;
  lastAcknowledged = 0;
  goingAway = false;
  readonly cursors = new Map<string, number>();
  readonly login: Login;
  readonly #handshake: Handshake;
  readonly #pump = new Pump(this);
  readonly #rate: FrameRate;
  readonly #requests = new RequestQueue();
  #roomFound: (() => void) | undefined;

  constructor(options: {
    connection: Connection;
    hub: Hub;
    verifier: TokenVerifier;
    headerToken: string | undefined;
  }) {
    this.connection = options.connection;
    this.hub = options.hub;
    const { clock, metrics } = options.hub;
    this.out = new Outbound({ connection: this.connection, clock, metrics });
    this.login = new Login({
      verifier: options.verifier,
      clock,
      onExpired: () => this.close(CLOSE.token_expired),
    });
    this.openedAt = this.heardAt = clock.monotonic();
    this.heartbeatAt = this.openedAt + options.hub.settings.heartbeatMs;
    this.#rate = new FrameRate(clock);
    this.#handshake = new Handshake(this, options.headerToken);
  }

  get token(): VerifiedToken | undefined {
    return this.login.token;
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

  /** Before the client has said anything: the upgrade may have brought a token. */
  begin(): void {
    this.#background(this.#handshake.authenticateHeader());
  }

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
      return this.#answer(() => this.sendError(parsed.code, parsed.id));
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
      this.#background(this.#handshake.greet(frame));
    } else if (this.state === 'cursors') {
      if (frame.type !== 'cursors') return this.close(CLOSE.bad_frame);
      this.#background(this.#handshake.addCursors(frame));
    } else if (this.state === 'opening') {
      // Not even a ping: the contract lets nothing but cursors stand before `ready`.
      this.close(CLOSE.bad_frame);
    } else if (frame.type === 'ping') {
      this.#answer(() =>
        this.sendFrame({ type: 'pong', id: frame.id, server_time: formatTime(this.hub.clock.now()) }),
      );
    } else if (frame.type === 'subscribe' || frame.type === 'unsubscribe' || frame.type === 'auth') {
      this.#request(frame);
    } else {
      // a second hello, cursors too late, an ack before ready
      this.close(CLOSE.bad_frame);
    }
  }

  #request(frame: ParsedClientFrame): void {
    this.#inTurn(async () => {
      // A token is taken at once, however slow its client reads; only what is said of it waits.
      if (frame.type === 'auth') return this.#renew(frame.token);
      await this.#untilRoom();
      if (this.state === 'closed') return;
      if (frame.type === 'subscribe') await subscribe(this, frame);
      else if (frame.type === 'unsubscribe') unsubscribe(this, frame);
    });
  }

  /** At once where there is room for it, or else when there is. */
  #answer(send: () => void): void {
    if (hasRoom(this.connection.unsentBytes)) send();
    else this.#inTurn(() => this.#untilRoom().then(send));
  }

  /** Answers are bounded by this: a client that asks and does not read is asked to wait, and its requests are few. */
  #inTurn(work: () => Promise<void>): void {
    const isTaken = this.#requests.add(() => work().catch((error: unknown) => this.#failed(error)));
    if (!isTaken) this.close(CLOSE.rate_limited, 1000);
  }

  async #untilRoom(): Promise<void> {
    while (this.state !== 'closed' && !hasRoom(this.connection.unsentBytes))
      await new Promise<void>((resolve) => (this.#roomFound = resolve));
  }

  #acknowledge(delivered: number): void {
    const result = this.out.credit.acknowledge(delivered);
    if (result === false) return this.close(CLOSE.bad_frame);
    if (!result.advanced && this.#rate.take() > 0) return this.close(CLOSE.rate_limited, 1000);
    if (result.occurredAt !== undefined) {
      this.hub.metrics.endToEndSeconds.observe(Math.max(0, this.hub.clock.now() - result.occurredAt) / 1000);
    }
    if (!result.advanced) return;
    this.advancedAt = this.heardAt;
    this.flush();
  }

  async #renew(token: string): Promise<void> {
    const refusal = await this.login.take(token);
    await this.#untilRoom();
    if (this.state === 'closed') return;
    if (refusal !== undefined) return this.sendError(refusal);
    const { expiresAt, scopes } = this.token!;
    this.sendFrame({ type: 'authenticated', expires_at: formatTime(expiresAt) });
    if (scopes.has('messaging:operate')) return;
    const lost = [...this.positions.values()].filter((position) => position.isOperators);
    if (lost.length > 0) {
      unsubscribe(this, { conversations: lost.map((position) => position.feed.conversationId) });
    }
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

  /** The user left a conversation by a change of this version. */
  noteLeft(conversationId: string, version: number): void {
    this.left.delete(conversationId);
    this.left.set(conversationId, version);
    const [oldest] = this.left.keys();
    if (this.left.size > LEFT_MAX && oldest !== undefined) this.left.delete(oldest);
  }

  remove(position: Position): void {
    this.positions.delete(position.feed.conversationId);
    this.#pump.endReading(position);
    this.hub.feeds.detach(position);
    this.reached(position);
  }

  // ── To the client ─────────────────────────────────────────────────────────────────────────────────────

  /** Something may be due: sends as much as may be sent. */
  flush(): void {
    if (this.state !== 'live') return;
    this.#roomFound?.();
    this.connection.cork();
    this.out.flush();
    if (!this.out.isHeldUp) this.#pump.run();
    this.#tellCaughtUp();
    this.connection.uncork();
    this.#noteBlocked();
  }

  due(position: Position): void {
    this.#pump.add(position);
    this.hub.schedule(this);
  }

  maySend(): boolean {
    return this.state === 'live' && !this.hub.deliveryPaused && this.out.hasRoom;
  }

  sendMessage(position: Position, item: MessageItem): void {
    this.out.message(item, item.to > position.seatedAt);
    if (!item.live) this.hub.metrics.hubGapFills.inc({ source: 'postgres' });
    else if (position.catchUpTo !== undefined) this.hub.metrics.hubGapFills.inc({ source: 'ring' });
    this.#advance(position, item.to);
  }

  /** A message that the reader has had: its cursor stays. */
  sendReplay(item: MessageItem): void {
    this.out.message(item, false);
  }

  sendGap(position: Position, to: number, reason: GapReason): void {
    this.out.credited({
      type: 'gap',
      conversation_id: position.feed.conversationId,
      from: position.cursor + 1,
      to,
      reason,
    });
    this.#advance(position, to);
  }

  sendFrame(frame: ServerFrame): void {
    if (this.state !== 'closed') this.out.frame(frame);
  }

  sendError(code: ErrorCode, id?: RequestId): void {
    if (this.state !== 'closed') this.out.error(code, id);
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

  /** Of one conversation, or of all of them: what was read for it is read again when it goes on. */
  releasePages(position?: Position): void {
    if (position === undefined) this.#pump.releasePages();
    else this.#pump.endReading(position);
  }

  #end(): void {
    this.state = 'closed';
    this.#handshake.end();
    this.login.end();
    for (const position of this.positions.values()) this.hub.feeds.detach(position);
    this.positions.clear();
    this.#roomFound?.();
    this.hub.forget(this);
  }

  #advance(position: Position, to: number): void {
    position.cursor = to;
    if (position.catchUpTo !== undefined && to >= position.catchUpTo) this.reached(position);
  }

  #tellCaughtUp(): void {
    if (this.catchingUp !== 0 || this.out.control.length > 0) return;
    this.catchingUp = undefined;
    this.sendFrame({ type: 'caught_up' });
  }

  #noteBlocked(): void {
    const blocked = !this.maySend() && (!this.#pump.idle || this.out.isHeldUp);
    // A pause is no fault of the client's.
    if (!blocked || this.hub.deliveryPaused) this.blockedSince = undefined;
    else if (this.blockedSince === undefined) {
      this.blockedSince = this.hub.clock.monotonic();
      this.hub.metrics.transportSlowConsumers.inc();
    }
  }

  #background(work: Promise<void>): void {
    work.catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    if (!(error instanceof Stopped)) this.hub.log.error('session_failed', { reason: reasonOf(error) });
    this.close(error instanceof Stopped ? CLOSE.try_later : CLOSE.server_error, this.hub.retryHintMs());
  }
}
