import { CursorBook } from '@sanctum/client';
import {
  closeAction,
  HEARTBEAT_PATIENCE,
  type MessageFrame,
  retryFloorMs,
  type SubscribeItem,
} from '@sanctum/protocol';
import type { Timer } from '../../clock.ts';
import { payloadHash } from '../history/payload-hash.ts';
import type { ClientPlan } from './scenario.ts';
import { type ConnectionOwner, SimConnection } from './sim-connection.ts';
import type { SimPod } from './sim-pod.ts';
import type { SimWorld } from './sim-world.ts';

const BACK_OFF_FIRST_MS = 100;
const BACK_OFF_MAX_MS = 4000;
const OPEN_RANGES_RETRY_MS = 1000;
const OPEN_RANGE_PAGE = 50;

/** A device: it keeps its cursors, comes back elsewhere when a connection ends, and asks for dead letters. */
export class SimClient implements ConnectionOwner {
  readonly id: string;
  readonly userId: string;
  readonly book = new CursorBook();
  readonly withoutCursor: 'head' | 'start';
  readonly credit: number;
  readonly #world: SimWorld;
  readonly #connections = new Set<SimConnection>();
  ackLateMs: number;
  isMute = false;
  #isReading = true;
  #next: Timer | undefined;
  #lastPod: SimPod | undefined;
  #failures = 0;
  #asking = false;

  constructor(world: SimWorld, plan: ClientPlan) {
    this.id = plan.id;
    this.userId = plan.userId;
    this.withoutCursor = plan.withoutCursor;
    this.credit = plan.credit;
    this.ackLateMs = plan.ackLateMs;
    this.#world = world;
    this.#comeBack(plan.startMs);
    this.#watch();
  }

  /** The connection that serves it, once it is ready. */
  get connection(): SimConnection | undefined {
    return [...this.#connections].findLast((connection) => connection.isReady);
  }

  /** Asks for a conversation from another place on, unless it is about to go elsewhere. */
  reseat(item: SubscribeItem): void {
    if (this.#connections.size === 1) this.connection?.subscribe(item);
  }

  // ── What happens to it ────────────────────────────────────────────────────────────────────────────────

  loseConnection(options: { readonly serverHears: boolean }): void {
    for (const connection of [...this.#connections]) connection.lose(options);
  }

  stopReading(): void {
    this.#isReading = false;
    for (const { socket } of this.#connections) socket.stopReading();
  }

  /** Reads, and acknowledges, as it should. */
  behave(): void {
    this.#isReading = true;
    this.isMute = false;
    this.ackLateMs = 0;
    for (const connection of this.#connections) {
      connection.socket.resumeReading();
      connection.acknowledge();
    }
  }

  // ── From its connections ──────────────────────────────────────────────────────────────────────────────

  ready(connection: SimConnection): void {
    this.#failures = 0;
    for (const other of [...this.#connections]) {
      if (other === connection) continue;
      this.#connections.delete(other);
      other.leave();
    }
  }

  caughtUp(): void {
    void this.#askForOpenRanges();
  }

  goaway(afterMs: number): void {
    this.#comeBack(afterMs);
  }

  fault(): void {
    this.#world.complain('client_fault', `${this.id}: a frame against the rule`);
    this.loseConnection({ serverHears: true });
  }

  ended(connection: SimConnection, code: number, retryAfterMs: number | undefined): void {
    this.#connections.delete(connection);
    const action = closeAction(code);
    if (action === 'stop_bug' || action === 'stop_login')
      this.#world.complain('closed_for_good', `${this.id}: closed with ${code}`);
    const spreadMs = Math.min(BACK_OFF_MAX_MS, BACK_OFF_FIRST_MS * 2 ** this.#failures++);
    const floorMs = Math.max(retryAfterMs ?? 0, retryFloorMs(code));
    if (this.#connections.size === 0) this.#comeBack(floorMs + this.#world.random.next() * spreadMs);
  }

  #comeBack(afterMs: number): void {
    this.#next?.cancel();
    this.#next = this.#world.clock.setTimer(afterMs, () => this.#connect());
  }

  #connect(): void {
    const { random, clock } = this.#world;
    // A seat that is being moved would be lost between the two connections.
    if ([...this.#connections].some((connection) => connection.isAsking))
      return this.#comeBack(BACK_OFF_FIRST_MS);
    const pods = this.#world.servingPods();
    const elsewhere = pods.filter((pod) => pod !== this.#lastPod);
    const pod = elsewhere.length > 0 ? random.pick(elsewhere) : pods[0];
    if (pod === undefined) return this.#comeBack(BACK_OFF_FIRST_MS + random.next() * BACK_OFF_MAX_MS * 0.1);
    this.#lastPod = pod;
    const connection = new SimConnection(this.#world, this, {
      pod,
      besideAnother: this.#connections.size > 0,
    });
    this.#connections.add(connection);
    if (!this.#isReading) connection.socket.stopReading();
    clock.setTimer(this.#world.clientLatencyMs(), () => connection.open());
  }

  /** Whoever hears nothing for too long comes back; one that does not read hears nothing of that either. */
  #watch(): void {
    const { clock, scenario } = this.#world;
    const patienceMs = scenario.settings.heartbeatMs * HEARTBEAT_PATIENCE;
    clock.setTimer(patienceMs / 3, () => {
      for (const connection of [...this.#connections]) {
        const isSilent = clock.monotonic() - connection.heardAt > patienceMs;
        if (isSilent && this.#isReading) connection.lose({ serverHears: false });
      }
      this.#watch();
    });
  }

  /** Dead letters that were announced, and may have been sent again since. */
  async #askForOpenRanges(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      for (const { conversationId, ranges } of this.book.openRanges()) {
        for (const [from, to] of ranges) await this.#ask(conversationId, from, to);
      }
    } finally {
      this.#asking = false;
    }
  }

  async #ask(conversationId: string, from: number, to: number): Promise<void> {
    const { userId } = this;
    for (let after = from - 1; after < to;) {
      const epoch = this.book.epoch;
      const request = { conversationId, userId, after, limit: OPEN_RANGE_PAGE };
      const answer = await this.#world.ask((pod) => pod.history(request));
      if (answer === undefined) {
        await this.#world.clock.sleep(OPEN_RANGES_RETRY_MS);
        continue;
      }
      if (answer.kind !== 'page') return;
      const page = JSON.parse(answer.json) as { epoch: number; messages: MessageFrame[]; next_after: number };
      // Of another epoch, the places mean something else by now.
      if (page.epoch !== epoch || page.next_after === after) return;
      for (const message of page.messages) {
        const { seq, message_id: messageId, payload } = message;
        const place = { conversationId, seq, messageId, hash: payloadHash(payload), epoch: page.epoch };
        this.#world.history.append({ type: 'read', process: 'world', userId, ...place });
        if (seq <= to && this.book.epoch === page.epoch) this.book.apply(message);
      }
      after = page.next_after;
    }
  }
}
