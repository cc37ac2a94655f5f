import {
  base64ByteLength,
  isCanonicalBase64,
  type GapFrame,
  type MemberFrame,
  type MessageFrame,
} from '@sanctum/protocol';

/** One line of `sanctum tail`: what happened, without the ciphertext. With `--json` it is printed as it is. */
export type TailEvent =
  | {
      readonly type: 'message';
      readonly occurred_at: string;
      readonly conversation_id: string;
      readonly seq: number;
      readonly message_id: string;
      readonly event_type: string;
      /** null: a row that an operator wrote may have none. */
      readonly sender: string | null;
      readonly ciphertext_bytes: number | null;
      readonly replay?: number;
      /** Had been announced as a dead letter. */
      readonly late?: true;
    }
  | Pick<GapFrame, 'type' | 'conversation_id' | 'from' | 'to' | 'reason'>
  | Pick<MemberFrame, 'type' | 'conversation_id' | 'change' | 'user_id' | 'seq'>
  | {
      readonly type: 'reset';
      readonly conversation_id: string;
      readonly epoch?: number;
      readonly reason: string;
    }
  /** A conversation that this connection can no longer follow. */
  | { readonly type: 'refused'; readonly conversation_id: string; readonly code: string };

export function messageEvent(frame: MessageFrame, { late }: { late: boolean }): TailEvent {
  const { sender, ciphertext } = (frame.payload ?? {}) as { sender?: unknown; ciphertext?: unknown };
  return {
    type: 'message',
    occurred_at: frame.occurred_at,
    conversation_id: frame.conversation_id,
    seq: frame.seq,
    message_id: frame.message_id,
    event_type: frame.event_type,
    sender: typeof sender === 'string' ? sender : null,
    ciphertext_bytes: isCanonicalBase64(ciphertext) ? base64ByteLength(ciphertext) : null,
    ...(frame.replay !== undefined && { replay: frame.replay }),
    ...(late && { late }),
  };
}

export function gapEvent({ conversation_id, from, to, reason }: GapFrame): TailEvent {
  return { type: 'gap', conversation_id, from, to, reason };
}

export function memberEvent({ conversation_id, change, user_id, seq }: MemberFrame): TailEvent {
  return { type: 'member', conversation_id, change, user_id, seq };
}
