import {
  CURSORS_FRAME_MAX,
  HELLO_CURSORS_MAX,
  type CursorEntry,
  type CursorsFrame,
  type ErrorCode,
  type GapFrame,
  type HelloFrame,
  type MemberFrame,
  type MessageFrame,
  type ServerFrame,
} from '@sanctum/protocol';
import {
  above,
  seatedAt,
  step,
  UNSEATED,
  type ConversationEvent,
  type ConversationState,
  type EffectKind,
  type SeqRange,
} from './cursor-rule.ts';

/**
 * How the id of a `subscribe` begins that asks for what follows the cursor, and shall not move it: what came while
 * the answer was under way would come again.
 */
export const KEEP = 'keep:';

/** What a device keeps between connections. Plain data, fit for JSON. */
export interface CursorSnapshot {
  readonly epoch?: number | undefined;
  readonly conversations: readonly {
    readonly conversationId: string;
    readonly cursor: number;
    readonly membersVersion?: number;
    readonly openRanges?: readonly SeqRange[];
  }[];
}

/** What the client does about a frame, conversation by conversation, with the frame that says so. */
export type Effect =
  | {
      readonly kind: 'deliver' | 'deliver_late';
      readonly conversationId: string;
      readonly frame: MessageFrame;
    }
  | { readonly kind: 'moved'; readonly conversationId: string; readonly frame: GapFrame }
  | { readonly kind: 'joined' | 'left'; readonly conversationId: string; readonly frame: MemberFrame }
  | { readonly kind: 'seated'; readonly conversationId: string; readonly after: number }
  | { readonly kind: 'refused'; readonly conversationId: string; readonly code: ErrorCode }
  | { readonly kind: 'reset'; readonly conversationId: string }
  | { readonly kind: 'drop' | 'fault'; readonly conversationId: string; readonly frame: ServerFrame };

/** A device's place in each of its conversations. Not pure: it holds the states that `step` goes through. */
export class CursorBook {
  readonly #states = new Map<string, ConversationState>();
  #epoch: number | undefined;

  constructor(snapshot?: CursorSnapshot) {
    // Cursors without their epoch mean nothing.
    if (snapshot?.epoch === undefined) return;
    this.#epoch = snapshot.epoch;
    for (const stored of snapshot.conversations) {
      const state = seatedAt(stored.cursor, stored.openRanges);
      this.#states.set(stored.conversationId, { ...state, membersVersion: stored.membersVersion ?? 0 });
    }
  }

  /** The epoch that the cursors belong to; undefined before the first `ready`. */
  get epoch(): number | undefined {
    return this.#epoch;
  }

  /** The last `seq` the device has of a conversation, or undefined. */
  cursorOf(conversationId: string): number | undefined {
    return this.#states.get(conversationId)?.cursor;
  }

  /** All that is known of a conversation. */
  stateOf(conversationId: string): ConversationState {
    return this.#states.get(conversationId) ?? UNSEATED;
  }

  /** Dead letters that may still come: to be asked for by `GET …/messages`, and fed back into `apply`. */
  openRanges(): { conversationId: string; ranges: readonly SeqRange[] }[] {
    return [...this.#states]
      .filter(([, state]) => state.openRanges.length > 0)
      .map(([conversationId, state]) => ({ conversationId, ranges: state.openRanges }));
  }

  /** Gives up the open ranges of a conversation up to a `seq`; whether there were any. */
  closeRanges(conversationId: string, upTo: number): boolean {
    const state = this.stateOf(conversationId);
    const openRanges = above(state.openRanges, upTo);
    if (openRanges === state.openRanges) return false;
    this.#states.set(conversationId, { ...state, openRanges });
    return true;
  }

  /** Takes one frame in and says what is to be done. Frames that concern no cursor do nothing. */
  apply(frame: ServerFrame): readonly Effect[] {
    switch (frame.type) {
      case 'message':
      case 'gap':
      case 'member':
        return [this.#applyOne(frame)];
      case 'subscribed':
        return frame.conversations.map((item) =>
          item.status === 'ok'
            ? this.#seat(item.conversation_id, item.after, frame)
            : this.#refuse(item.conversation_id, item.code),
        );
      case 'reset':
        this.#epoch = frame.epoch;
        return frame.conversation_id === '*'
          ? [...this.#states.keys()].map((conversationId) => this.#reset(conversationId))
          : [this.#reset(frame.conversation_id)];
      case 'ready':
        // With cursors of another epoch a reset follows; until it does, they are still that epoch's.
        if (this.#epoch === undefined || this.snapshot().conversations.length === 0)
          this.#epoch = frame.epoch;
        return [];
      default:
        return [];
    }
  }

  /**
   * `hello` with all cursors, and the `cursors` frames that must follow it. With `subscribe: "none"` it
   * carries none, as the contract has it.
   */
  helloFrames(
    hello: Omit<HelloFrame, 'type' | 'epoch' | 'cursors' | 'more'> = {},
  ): [HelloFrame, ...CursorsFrame[]] {
    const epoch = this.#epoch === undefined ? {} : { epoch: this.#epoch };
    const isAll = this.#epoch !== undefined && hello.subscribe !== 'none';
    const { conversations } = this.snapshot();
    const entries: CursorEntry[] = isAll ? conversations.map((c) => [c.conversationId, c.cursor]) : [];
    if (entries.length === 0) return [{ type: 'hello', ...hello, ...epoch }];
    const first = entries.slice(0, HELLO_CURSORS_MAX);
    const more = entries.length > HELLO_CURSORS_MAX && { more: true };
    const frames: [HelloFrame, ...CursorsFrame[]] = [
      { type: 'hello', ...hello, ...epoch, cursors: first, ...more },
    ];
    for (let at = HELLO_CURSORS_MAX; at < entries.length; at += CURSORS_FRAME_MAX) {
      const isLast = at + CURSORS_FRAME_MAX >= entries.length;
      frames.push({
        type: 'cursors',
        cursors: entries.slice(at, at + CURSORS_FRAME_MAX),
        ...(!isLast && { more: true }),
      });
    }
    return frames;
  }

  /** What to store, so that another connection, or another run, goes on from here. */
  snapshot(): CursorSnapshot {
    const conversations = [...this.#states].flatMap(
      ([conversationId, { cursor, membersVersion, openRanges }]) =>
        cursor === undefined ? [] : [{ conversationId, cursor, membersVersion, openRanges }],
    );
    return { ...(this.#epoch !== undefined && { epoch: this.#epoch }), conversations };
  }

  #applyOne(frame: MessageFrame | GapFrame | MemberFrame): Effect {
    const kind = this.#step(frame.conversation_id, frame);
    return { kind, conversationId: frame.conversation_id, frame } as Effect;
  }

  #seat(conversationId: string, after: number, frame: ServerFrame & { type: 'subscribed' }): Effect {
    const own = frame.id !== undefined && !String(frame.id).startsWith(KEEP);
    const kind = this.#step(conversationId, { type: 'subscribed', after, own });
    return kind === 'seated' ? { kind, conversationId, after } : ({ kind, conversationId, frame } as Effect);
  }

  #refuse(conversationId: string, code: ErrorCode): Effect {
    this.#step(conversationId, { type: 'refused', code });
    return { kind: 'refused', conversationId, code };
  }

  #reset(conversationId: string): Effect {
    this.#step(conversationId, { type: 'reset' });
    return { kind: 'reset', conversationId };
  }

  #step(conversationId: string, event: ConversationEvent): EffectKind {
    const { next, effect } = step(this.stateOf(conversationId), event);
    // A conversation that is not, or no longer, this user's must not stay in the book.
    if (isBlank(next)) this.#states.delete(conversationId);
    else this.#states.set(conversationId, next);
    return effect;
  }
}

function isBlank({ cursor, membersVersion }: ConversationState): boolean {
  return cursor === undefined && membersVersion === 0;
}
