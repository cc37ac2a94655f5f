import { bounds } from '../bounds.ts';
import type { PendingMessage } from './pending-message.ts';

/**
 * A conversation with messages in intake. They go to the log in the order in which they came, one group at a time.
 *
 *   ready ──take──▶ in_flight ──done──▶ ready, or gone when nothing waits
 *                       │
 *                       └─locked by somebody else──▶ side ──take──▶ in_flight
 */
export class Lane {
  readonly conversationId: string;
  readonly waiting: PendingMessage[] = [];
  state: 'ready' | 'in_flight' | 'side' = 'ready';

  constructor(conversationId: string) {
    this.conversationId = conversationId;
  }
}

/** What goes to the log in one transaction, and the conversations that it occupies meanwhile. */
export interface Group {
  readonly lanes: readonly Lane[];
  readonly messages: readonly PendingMessage[];
}

/**
 * The conversations that have messages waiting, in the order of their turns. A conversation is in one group at a
 * time, so two groups in flight never reorder it. Pure state.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  readonly #ready = new Set<Lane>();
  readonly #side = new Set<Lane>();

  get sideWaiting(): ReadonlySet<Lane> {
    return this.#side;
  }

  add(message: PendingMessage): void {
    const { conversationId } = message.request;
    let lane = this.#lanes.get(conversationId);
    if (lane === undefined) {
      lane = new Lane(conversationId);
      this.#lanes.set(conversationId, lane);
      this.#ready.add(lane);
    }
    lane.waiting.push(message);
  }

  /** The next group of the main lane; undefined when nothing may go now. */
  takeGroup(): Group | undefined {
    const lanes: Lane[] = [];
    const group = new GroupBuilder();
    for (const lane of this.#ready) {
      const before = group.messages.length;
      group.fill(lane);
      if (group.isFull && group.messages.length === before) break;
      this.#ready.delete(lane);
      lane.state = 'in_flight';
      lanes.push(lane);
    }
    return this.#groupOf(lanes, group);
  }

  /** The next locked conversation's group. */
  takeSideGroup(): Group | undefined {
    for (const lane of this.#side) {
      this.#side.delete(lane);
      lane.state = 'in_flight';
      const group = new GroupBuilder();
      group.fill(lane);
      const taken = this.#groupOf([lane], group);
      if (taken !== undefined) return taken;
    }
    return undefined;
  }

  /** The group is done, but for the messages that found their conversation locked: these wait at its side. */
  release(group: Group, locked: ReadonlyMap<string, PendingMessage[]>): void {
    for (const lane of group.lanes) {
      const again = locked.get(lane.conversationId);
      if (again !== undefined) lane.waiting.unshift(...again);
      this.#queue(lane, again === undefined ? 'ready' : 'side');
    }
  }

  /** Forgets messages that have been answered while they waited, the oldest of their conversation. */
  dropAnswered(conversationId: string): void {
    const lane = this.#lanes.get(conversationId);
    if (lane === undefined) return;
    while (lane.waiting[0]?.isAnswered) lane.waiting.shift();
    if (lane.state !== 'in_flight') this.#queue(lane, lane.state);
  }

  #queue(lane: Lane, state: 'ready' | 'side'): void {
    lane.state = state;
    if (lane.waiting.length > 0) {
      (state === 'ready' ? this.#ready : this.#side).add(lane);
      return;
    }
    this.#ready.delete(lane);
    this.#side.delete(lane);
    this.#lanes.delete(lane.conversationId);
  }

  #groupOf(lanes: Lane[], { messages }: GroupBuilder): Group | undefined {
    if (messages.length > 0) return { lanes, messages };
    for (const lane of lanes) this.#queue(lane, 'ready');
    return undefined;
  }
}

class GroupBuilder {
  readonly messages: PendingMessage[] = [];
  isFull = false;
  #bytes = 0;

  /**
   * Takes what fits of a conversation, in order. A repeat of a message in the group joins it; another message
   * under the same id must be judged after that one, and so waits for the next group.
   */
  fill({ waiting }: Lane): void {
    const byId = new Map<string, PendingMessage>();
    let taken = 0;
    for (const message of waiting) {
      const first = byId.get(message.request.messageId);
      if (message.isAnswered) {
        // it waited for too long
      } else if (first !== undefined) {
        if (!first.isSameAs(message)) break;
        first.repeats.push(message);
      } else {
        if (!this.#fits(message)) break;
        byId.set(message.request.messageId, message);
        this.messages.push(message);
        this.#bytes += message.bytes;
      }
      taken++;
    }
    waiting.splice(0, taken);
  }

  #fits(message: PendingMessage): boolean {
    const { groupRowsMax, groupBytesMax } = bounds.intake;
    this.isFull =
      this.messages.length >= groupRowsMax ||
      (this.messages.length > 0 && this.#bytes + message.bytes > groupBytesMax);
    return !this.isFull;
  }
}
