import { AckCounter, CursorBook, type CursorSnapshot, type Effect, reseatsOf } from '@sanctum/client';
import { type HelloFrame, parseCloseReason, type ServerFrame, type SubscribeItem } from '@sanctum/protocol';
import type { Timer } from '../../clock.ts';
import type { UnstampedEvent } from '../history/history.ts';
import { frameEvents } from './frame-events.ts';
import type { SimPod } from './sim-pod.ts';
import { SimSocket } from './sim-socket.ts';
import type { SimWorld } from './sim-world.ts';

/** What a connection asks of, and tells, the device that it belongs to. */
export interface ConnectionOwner {
  readonly id: string;
  readonly userId: string;
  readonly book: CursorBook;
  readonly withoutCursor: 'head' | 'start';
  readonly credit: number;
  /** How much later than it should it acknowledges. */
  readonly ackLateMs: number;
  /** Acknowledges nothing at present. */
  readonly isMute: boolean;
  ready(connection: SimConnection): void;
  caughtUp(): void;
  goaway(afterMs: number): void;
  fault(): void;
  ended(connection: SimConnection, code: number, retryAfterMs: number | undefined): void;
}

const ABNORMAL = 1006;

/** A device's connection: the client's rule on each frame, and the history of what came. */
export class SimConnection {
  readonly id: string;
  readonly pod: SimPod;
  readonly socket: SimSocket;
  isReady = false;
  heardAt: number;
  readonly #world: SimWorld;
  readonly #owner: ConnectionOwner;
  /** Its own reckoning, where the device's is moved by another connection, too. */
  readonly #book: CursorBook;
  #acks: AckCounter | undefined;
  #ackTimer: Timer | undefined;
  #requests = 0;
  /** The conversation of the `subscribe` that is under way. */
  #asked: string | undefined;
  /** To be subscribed to again, and from where: the device's other connection has moved its cursor. */
  readonly #reseats = new Map<string, number>();
  #said: CursorSnapshot | undefined;
  #isOver = false;

  constructor(
    world: SimWorld,
    owner: ConnectionOwner,
    options: { readonly pod: SimPod; readonly besideAnother: boolean },
  ) {
    const { pod } = options;
    this.id = world.random.uuid();
    this.pod = pod;
    this.#world = world;
    this.#owner = owner;
    this.#book = options.besideAnother ? new CursorBook(owner.book.snapshot()) : owner.book;
    this.heardAt = world.clock.monotonic();
    this.socket = new SimSocket({
      id: this.id,
      clock: world.clock,
      process: pod.process,
      latencyMs: () => world.clientLatencyMs(),
      weight: world.scenario.byteWeight,
      listener: {
        onText: (text) => this.#take(text),
        onClose: (code, reason) => this.#closed(code, parseCloseReason(reason)),
      },
    });
    const { id: client, userId } = owner;
    this.#note({ type: 'connect', connection: this.id, client, userId, process: 'world', pod: pod.name });
  }

  /** The upgrade arrives at the pod. */
  open(): void {
    if (!this.pod.accept(this.socket, this.#owner.userId)) return this.#closed(ABNORMAL, undefined);
    const { withoutCursor, credit } = this.#owner;
    this.#said = this.#book.snapshot();
    const [hello, ...further] = this.#book.helloFrames({ without_cursor: withoutCursor, credit });
    this.#noteHello(hello);
    for (const frame of [hello, ...further]) this.socket.sendText(JSON.stringify(frame));
  }

  get isAsking(): boolean {
    return this.#asked !== undefined;
  }

  /** One at a time: the history tells an answer by its conversation alone. */
  subscribe(item: SubscribeItem): void {
    if (this.isAsking) return;
    this.#requests += 1;
    const { conversation_id: conversationId, after = 'head' } = item;
    this.#asked = conversationId;
    this.#note({ type: 'subscribe', connection: this.id, conversationId, after });
    this.socket.sendText(JSON.stringify({ type: 'subscribe', id: this.#requests, conversations: [item] }));
  }

  /** The device has another one. */
  leave(): void {
    this.socket.leave(1000);
    this.#end(1000);
  }

  /** The connection is lost; the client knows. */
  lose(options: { readonly serverHears: boolean }): void {
    this.socket.lose(options);
    this.#closed(ABNORMAL, undefined);
  }

  acknowledge(): void {
    this.#ackTimer?.cancel();
    this.#ackTimer = undefined;
    if (this.#isOver || this.#owner.isMute) return;
    const delivered = this.#acks?.take();
    if (delivered === undefined) return;
    this.#note({ type: 'ack', connection: this.id, delivered });
    this.socket.sendText(JSON.stringify({ type: 'ack', delivered }));
  }

  #take(text: string): void {
    if (this.#isOver) return;
    const frame = JSON.parse(text) as ServerFrame;
    this.heardAt = this.#world.clock.monotonic();
    const effects = this.#book.apply(frame);
    const merged = this.#book === this.#owner.book ? effects : this.#owner.book.apply(frame);
    for (const event of frameEvents(this.id, frame, effects[0]?.kind)) this.#note(event);
    if (frame.type === 'ready') {
      this.#acks = new AckCounter(frame.credit);
      this.isReady = true;
      for (const { conversationId, cursor } of reseatsOf(this.#said!, this.#owner.book))
        this.#reseats.set(conversationId, this.#owner.book.cursorOf(conversationId) ?? cursor);
      this.#owner.ready(this);
    }
    this.#acks?.receive(frame.type, this.heardAt);
    this.#scheduleAck();
    if (merged !== effects) this.#mend(merged.filter(isFault));
    if (frame.type === 'subscribed' && frame.id !== undefined) this.#asked = undefined;
    this.#reseat();
    if (frame.type === 'caught_up') this.#owner.caughtUp();
    if (frame.type === 'goaway') this.#owner.goaway(frame.reconnect_after_ms);
    if (effects.some(isFault)) this.#owner.fault();
  }

  /** What fits this connection and not the device, whose other connection has moved it: asked for again, once. */
  #mend(faults: readonly Effect[]): void {
    for (const { conversationId } of faults) {
      if (this.#reseats.has(conversationId) || this.#asked === conversationId) continue;
      const cursor = this.#owner.book.cursorOf(conversationId);
      // The device has lost its place, and nothing that is under way brings it back.
      if (cursor === undefined) return this.#owner.fault();
      this.#reseats.set(conversationId, cursor);
    }
  }

  #reseat(): void {
    if (this.isAsking) return;
    for (const [conversationId, after] of this.#reseats) {
      this.#reseats.delete(conversationId);
      return this.subscribe({ conversation_id: conversationId, after });
    }
  }

  #scheduleAck(): void {
    const dueAt = this.#acks?.dueAtMs();
    if (dueAt === undefined || this.#ackTimer !== undefined) return;
    const delayMs = dueAt - this.heardAt + this.#owner.ackLateMs;
    if (delayMs <= 0) this.acknowledge();
    else this.#ackTimer = this.#world.clock.setTimer(delayMs, () => this.acknowledge());
  }

  #closed(code: number, retryAfterMs: number | undefined): void {
    if (this.#isOver) return;
    this.#end(code);
    this.#owner.ended(this, code, retryAfterMs);
  }

  #end(code: number): void {
    this.#isOver = true;
    this.#ackTimer?.cancel();
    this.#note({ type: 'close', connection: this.id, code });
  }

  #noteHello({ epoch, cursors }: HelloFrame): void {
    this.#note({
      type: 'hello',
      connection: this.id,
      subscribe: 'all',
      epoch,
      cursors: cursors === undefined ? undefined : cursors.map(([conversation, seq]) => [conversation, seq]),
      withoutCursor: this.#owner.withoutCursor,
    });
  }

  #note(event: UnstampedEvent): void {
    this.#world.history.append(event);
  }
}

function isFault({ kind }: Effect): boolean {
  return kind === 'fault';
}
