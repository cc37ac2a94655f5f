import type { GapFrame, MemberFrame, MessageFrame } from '@sanctum/protocol';

/**
 * The client's half of the delivery rules, for one conversation, as a pure function.
 *
 * A conversation is *unseated* (no cursor) until `subscribed` or `member added` says where it begins, and
 * *seated* from then on. The cursor means "have everything up to and including this `seq`".
 *
 *     unseated ──subscribed, added──▶ seated ──message or gap at cursor + 1──▶ seated, moved
 *         ▲                             │
 *         └──── reset, removed, refused ┘
 *
 * What lies at or below the cursor is a repeat, and dropped, unless its `seq` was announced as a dead letter:
 * an operator may requeue those, and then they are handed on late, once. What is neither is a server's fault.
 */

/** From and to, both included. */
export type SeqRange = readonly [from: number, to: number];

export interface ConversationState {
  /** The last `seq` that was handed on or announced as a gap; undefined while unseated. */
  readonly cursor: number | undefined;
  /** The `members_version` of the last `member` frame; 0 before any. */
  readonly membersVersion: number;
  /** Dead letters that may still come, ascending and apart; all at or below the cursor. */
  readonly openRanges: readonly SeqRange[];
}

/** The part of a frame that concerns one conversation. Message, gap and member frames fit as they are. */
export type ConversationEvent =
  | Pick<MessageFrame, 'type' | 'seq'>
  | (Pick<GapFrame, 'type' | 'from' | 'to'> & { readonly reason: string })
  | (Pick<MemberFrame, 'type' | 'head' | 'members_version'> & { readonly change: string })
  | { readonly type: 'reset' }
  /** `own`: the answer to a `subscribe` of this client that re-seats. */
  | { readonly type: 'subscribed'; readonly after: number; readonly own: boolean }
  | { readonly type: 'refused'; readonly code: string };

/**
 * What the client does about an event:
 * - `deliver`: hand the message on · `deliver_late`: hand it on, out of order, as it was announced dead;
 * - `drop`: a repeat, or news already known · `moved`: a gap was taken note of;
 * - `seated`: the cursor was set by `subscribed` · `joined`, `left`: membership changed;
 * - `reset`: the cursor is void · `refused`: the server does not serve this conversation to this user;
 * - `fault`: the server broke the rules, or begins above the cursor: subscribe again, then reconnect.
 */
export type EffectKind =
  | 'deliver'
  | 'deliver_late'
  | 'drop'
  | 'moved'
  | 'seated'
  | 'joined'
  | 'left'
  | 'reset'
  | 'refused'
  | 'fault';

export interface Step {
  readonly next: ConversationState;
  readonly effect: EffectKind;
}

/** A conversation that nothing is known of. */
export const UNSEATED: ConversationState = {
  cursor: undefined,
  membersVersion: 0,
  openRanges: [],
};

/** A conversation that begins after a stored cursor. */
export function seatedAt(cursor: number, openRanges: readonly SeqRange[] = []): ConversationState {
  return { ...UNSEATED, cursor, openRanges };
}

/** What one event does to a conversation. Pure; a fault or a drop leaves the state as it is. */
export function step(state: ConversationState, event: ConversationEvent): Step {
  switch (event.type) {
    case 'message':
      return onMessage(state, event.seq);
    case 'gap':
      return onGap(state, event);
    case 'member':
      return onMember(state, event);
    case 'subscribed':
      return onSubscribed(state, event);
    case 'reset':
      return { next: UNSEATED, effect: 'reset' };
    case 'refused':
      return event.code === 'conversation_not_found'
        ? { next: forgotten(state), effect: 'refused' }
        : { next: state, effect: 'refused' };
  }
}

function onMessage(state: ConversationState, seq: number): Step {
  const { cursor } = state;
  if (cursor === undefined || seq > cursor + 1) return { next: state, effect: 'fault' };
  if (seq === cursor + 1) return { next: { ...state, cursor: seq }, effect: 'deliver' };
  const openRanges = without(state.openRanges, seq);
  if (openRanges === state.openRanges) return { next: state, effect: 'drop' };
  return { next: { ...state, openRanges }, effect: 'deliver_late' };
}

function onGap(state: ConversationState, gap: { from: number; to: number; reason: string }): Step {
  const { cursor } = state;
  if (cursor === undefined || gap.from > gap.to || gap.from > cursor + 1)
    return { next: state, effect: 'fault' };
  if (gap.to <= cursor) return { next: state, effect: 'drop' };
  const openRanges: readonly SeqRange[] =
    gap.reason === 'dead_letter' ? [...state.openRanges, [cursor + 1, gap.to]] : state.openRanges;
  return { next: { ...state, cursor: gap.to, openRanges }, effect: 'moved' };
}

function onMember(
  state: ConversationState,
  event: { change: string; head: number; members_version: number },
): Step {
  if (event.members_version <= state.membersVersion) return { next: state, effect: 'drop' };
  const seen = { ...state, membersVersion: event.members_version };
  if (event.change === 'removed') return { next: forgotten(seen), effect: 'left' };
  // A change of a later version of the protocol: nothing this client could do about it.
  if (event.change !== 'added') return { next: seen, effect: 'drop' };
  const cursor = Math.max(event.head, state.cursor ?? 0);
  return { next: { ...seen, cursor }, effect: 'joined' };
}

function onSubscribed(state: ConversationState, { after, own }: { after: number; own: boolean }): Step {
  if (state.cursor !== undefined && !own) {
    // Asked without this cursor, which another connection has set meanwhile: what lies between would never come.
    return { next: state, effect: after > state.cursor ? 'fault' : 'drop' };
  }
  // Above the new seat everything comes again, the gaps among it too.
  const openRanges = upTo(state.openRanges, after);
  return { next: { ...state, cursor: after, openRanges }, effect: 'seated' };
}

/** Not, or no longer, the user's; the version stays, so that older news of it stay old. */
function forgotten(state: ConversationState): ConversationState {
  return { ...UNSEATED, membersVersion: state.membersVersion };
}

/** The ranges without one `seq`; the very same list where it lies in none. */
function without(ranges: readonly SeqRange[], seq: number): readonly SeqRange[] {
  const at = ranges.findIndex(([from, to]) => from <= seq && seq <= to);
  const range = ranges[at];
  if (!range) return ranges;
  const [from, to] = range;
  const rest: SeqRange[] = [];
  if (from < seq) rest.push([from, seq - 1]);
  if (seq < to) rest.push([seq + 1, to]);
  return [...ranges.slice(0, at), ...rest, ...ranges.slice(at + 1)];
}

/** The ranges above a `seq`; the very same list where nothing lies at or below it. */
export function above(ranges: readonly SeqRange[], seq: number): readonly SeqRange[] {
  if (ranges.every(([from]) => from > seq)) return ranges;
  return ranges.filter(([, to]) => to > seq).map(([from, to]) => [Math.max(from, seq + 1), to]);
}

function upTo(ranges: readonly SeqRange[], last: number): readonly SeqRange[] {
  return ranges.filter(([from]) => from <= last).map(([from, to]) => [from, Math.min(to, last)]);
}
