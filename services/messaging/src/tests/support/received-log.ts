import type { Effect } from '@sanctum/client';
import {
  parseCloseReason,
  utf8Length,
  type ErrorFrame,
  type GapFrame,
  type GoawayFrame,
  type MemberFrame,
  type MessageFrame,
  type ReadyFrame,
  type RequestId,
  type ResetFrame,
  type ServerFrame,
  type SubscribedItem,
} from '@sanctum/protocol';

/** A message frame as it came, and what the client's rule made of it. */
export interface ReceivedMessage {
  readonly conversationId: string;
  readonly seq: number;
  readonly messageId: string;
  /** 0 where the frame named none. */
  readonly replay: number;
  readonly payload: unknown;
  readonly effect: Effect['kind'];
  /** On the clock of `performance.now`. */
  readonly atMs: number;
}

export interface ReceivedClose {
  readonly code: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
}

/** Everything that came on one connection, in order, and sorted by kind. */
export class ReceivedLog {
  readonly frames: ServerFrame[] = [];
  readonly messages: ReceivedMessage[] = [];
  readonly gaps: GapFrame[] = [];
  readonly members: MemberFrame[] = [];
  readonly resets: ResetFrame[] = [];
  readonly errors: ErrorFrame[] = [];
  /** Of all `subscribed` frames, asked for or not. */
  readonly subscribed: SubscribedItem[] = [];
  /** What the server did against the rules, in words. */
  readonly faults: string[] = [];
  ready: ReadyFrame | undefined;
  goaway: GoawayFrame | undefined;
  close: ReceivedClose | undefined;
  /** An upgrade that was answered by HTTP. */
  refusal: { readonly status: number; readonly body: string } | undefined;
  caughtUpCount = 0;
  heartbeatCount = 0;
  /** Of all frames, in bytes. */
  bytes = 0;
  readonly #byConversation = new Map<string, ReceivedMessage[]>();
  readonly #answers = new Map<RequestId, ServerFrame>();

  /** Every message frame of a conversation, repeats included. */
  messagesOf(conversationId: string): readonly ReceivedMessage[] {
    return this.#byConversation.get(conversationId) ?? [];
  }

  /** The messages of a conversation that a client hands on, in the order in which it does. */
  handedOn(conversationId: string): readonly ReceivedMessage[] {
    return this.messagesOf(conversationId).filter(
      ({ effect }) => effect === 'deliver' || effect === 'deliver_late',
    );
  }

  /** `handedOn`, as places. */
  seqs(conversationId: string): number[] {
    return this.handedOn(conversationId).map(({ seq }) => seq);
  }

  /** The frame that answered a request, an `error` included. */
  answerTo(id: RequestId): ServerFrame | undefined {
    return this.#answers.get(id);
  }

  /** Notes a frame, with what the rule said about it. */
  addFrame(frame: ServerFrame, text: string, effects: readonly Effect[]): void {
    this.frames.push(frame);
    this.bytes += utf8Length(text);
    for (const effect of effects) if (effect.kind === 'fault') this.faults.push(describeFault(frame));
    if ('id' in frame && frame.id !== undefined) this.#answers.set(frame.id, frame);
    switch (frame.type) {
      case 'message':
        this.#addMessage(frame, effects[0]?.kind ?? 'fault');
        break;
      case 'gap':
        this.gaps.push(frame);
        break;
      case 'member':
        this.members.push(frame);
        break;
      case 'reset':
        this.resets.push(frame);
        break;
      case 'error':
        this.errors.push(frame);
        break;
      case 'subscribed':
        this.subscribed.push(...frame.conversations);
        break;
      case 'ready':
        this.ready = frame;
        break;
      case 'goaway':
        this.goaway = frame;
        break;
      case 'caught_up':
        if (++this.caughtUpCount > 1) this.faults.push('caught_up came twice');
        break;
      case 'heartbeat':
        this.heartbeatCount++;
        break;
      default:
    }
  }

  /** Notes a frame of the wrong shape: there is nothing in it to go by. */
  addFaultyFrame(frame: ServerFrame, fault: string): void {
    this.frames.push(frame);
    this.faults.push(fault);
  }

  addClose(code: number, reason: string): void {
    this.close = { code, reason, retryAfterMs: parseCloseReason(reason) };
  }

  /** One line for the message of a failed wait. */
  summary(): string {
    const counts = new Map<string, number>();
    for (const { type } of this.frames) counts.set(type, (counts.get(type) ?? 0) + 1);
    const parts = [...counts].map(([type, count]) => `${count} ${type}`);
    if (this.errors.length > 0) parts.push(`errors: ${this.errors.map(({ code }) => code).join(' ')}`);
    if (this.refusal) parts.push(`refused with ${this.refusal.status}: ${this.refusal.body}`);
    if (this.close) parts.push(`closed with ${this.close.code} ${this.close.reason}`.trimEnd());
    if (this.faults.length > 0) parts.push(`faults: ${this.faults.join('; ')}`);
    return parts.length === 0 ? 'nothing came' : parts.join(', ');
  }

  #addMessage(frame: MessageFrame, effect: Effect['kind']): void {
    const message: ReceivedMessage = {
      conversationId: frame.conversation_id,
      seq: frame.seq,
      messageId: frame.message_id,
      replay: frame.replay ?? 0,
      payload: frame.payload,
      effect,
      atMs: performance.now(),
    };
    this.messages.push(message);
    const ofConversation = this.#byConversation.get(frame.conversation_id);
    if (ofConversation) ofConversation.push(message);
    else this.#byConversation.set(frame.conversation_id, [message]);
  }
}

function describeFault(frame: ServerFrame): string {
  if (frame.type === 'message') return `message ${frame.seq} of ${frame.conversation_id} is out of place`;
  if (frame.type === 'gap')
    return `gap ${frame.from}–${frame.to} of ${frame.conversation_id} is out of place`;
  return `${frame.type} is out of place`;
}
