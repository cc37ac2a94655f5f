import { CursorBook } from '@sanctum/client';
import { closeAction, type GapFrame, retryFloorMs } from '@sanctum/protocol';
import type { History } from '../history/history.ts';
import { machineClock } from '../history/history-writer.ts';
import { type ConnectionOwner, MemberConnection } from './member-connection.ts';

const BACK_OFF_FIRST_MS = 250;
const BACK_OFF_MAX_MS = 4000;

export interface DeviceOptions {
  /** Unique in the run. */
  readonly name: string;
  readonly userId: string;
  readonly token: string;
  /** The one conversation of its user. */
  readonly conversationId: string;
  /** Where it may connect: it begins at one and goes to the next each time it has to come back. */
  readonly pods: readonly { readonly name: string; readonly wsUrl: string }[];
  readonly firstPod: number;
  readonly heartbeatMs: number;
  readonly history: History;
  /** A message was handed on for the first time. */
  readonly onMessage: (messageId: string, at: number) => void;
  /** The server did what it must not. */
  readonly onComplaint: (text: string) => void;
}

/** A member's device: it keeps its cursors, and comes back by the contract's rules whenever a connection ends. */
export class MemberDevice implements ConnectionOwner {
  readonly name: string;
  readonly userId: string;
  readonly conversationId: string;
  readonly book = new CursorBook();
  /** Connections that were ready, the first aside. */
  reconnects = -1;
  /** Places that will not come, as it was told. */
  readonly gaps: Omit<GapFrame, 'type' | 'conversation_id'>[] = [];
  readonly #options: DeviceOptions;
  readonly #connections = new Set<MemberConnection>();
  readonly #seen = new Set<string>();
  #pod: number;
  #made = 0;
  #failures = 0;
  #next: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: DeviceOptions) {
    this.#options = options;
    this.name = options.name;
    this.userId = options.userId;
    this.conversationId = options.conversationId;
    this.#pod = options.firstPod;
  }

  /** To the next pod, or to the one that is named. */
  connect(to?: string): void {
    clearTimeout(this.#next);
    if (this.#isOver) return;
    const { pods, token, name, userId, history } = this.#options;
    const next = pods[this.#pod++ % pods.length]!;
    const pod = pods.find((each) => each.name === to) ?? next;
    this.#made += 1;
    const connection = `${name}-${this.#made}`;
    this.#connections.add(
      new MemberConnection({
        owner: this,
        url: pod.wsUrl,
        token,
        book: this.book,
        isBeside: this.#connections.size > 0,
        history,
        as: { connection, client: name, userId, process: 'chaos', pod: pod.name },
      }),
    );
  }

  get isReady(): boolean {
    return [...this.#connections].some((connection) => connection.isReady);
  }

  /** Who hears nothing for 1.5 heartbeats comes back: to be called now and then. */
  watch(): void {
    for (const connection of [...this.#connections]) {
      if (connection.isSilent(this.#options.heartbeatMs)) connection.lose();
    }
  }

  acknowledge(): void {
    for (const connection of this.#connections) connection.acknowledge();
  }

  /** Loses its connection, as a network does. */
  cut(): void {
    for (const connection of [...this.#connections]) connection.lose();
  }

  /** Goes away in good order; `connect` brings it back. */
  leave(): void {
    clearTimeout(this.#next);
    for (const connection of this.#connections) connection.leave();
    this.#connections.clear();
  }

  close(): void {
    this.#isOver = true;
    this.leave();
  }

  ready(connection: MemberConnection): void {
    this.#failures = 0;
    this.reconnects += 1;
    for (const other of [...this.#connections]) {
      if (other === connection) continue;
      this.#connections.delete(other);
      other.leave();
    }
  }

  handedOn(messageId: string): void {
    if (this.#seen.has(messageId)) return;
    this.#seen.add(messageId);
    this.#options.onMessage(messageId, machineClock.monotonic());
  }

  gap({ from, to, reason }: GapFrame): void {
    this.gaps.push({ from, to, reason });
  }

  goaway(afterMs: number): void {
    this.#comeBack(afterMs);
  }

  fault(connection: MemberConnection, text: string): void {
    this.#options.onComplaint(`${this.name}: a frame against the rule: ${text}`);
    connection.lose();
  }

  ended(connection: MemberConnection, code: number, retryAfterMs: number | undefined): void {
    this.#connections.delete(connection);
    if (this.#isOver) return;
    const action = closeAction(code);
    if (action !== 'retry') this.#options.onComplaint(`${this.name}: closed with ${code} (${action})`);
    const spreadMs = Math.min(BACK_OFF_MAX_MS, BACK_OFF_FIRST_MS * 2 ** this.#failures++);
    const floorMs = Math.max(retryAfterMs ?? 0, retryFloorMs(code));
    // Where another connection serves it, or is being made, nothing is to be done.
    if (this.#connections.size === 0) this.#comeBack(floorMs + Math.random() * spreadMs);
  }

  #comeBack(afterMs: number): void {
    clearTimeout(this.#next);
    this.#next = setTimeout(() => this.connect(), afterMs);
  }
}
