import type { Gap, MembershipChange, ReceivedMessage } from '@sanctum/client';

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
      /** Decrypted, where there was a key for it. */
      readonly text?: string;
      /** Had been announced as a dead letter. */
      readonly late?: true;
    }
  | {
      readonly type: 'gap';
      readonly conversation_id: string;
      readonly from: number;
      readonly to: number;
      readonly reason: string;
    }
  | {
      readonly type: 'member';
      readonly conversation_id: string;
      readonly change: 'added' | 'removed';
      readonly user_id: string;
      /** The first that a new member reads, or the last before the removal. */
      readonly seq: number;
    }
  | { readonly type: 'reset'; readonly conversation_id: string }
  /** A conversation that this connection can no longer follow. */
  | { readonly type: 'refused'; readonly conversation_id: string; readonly code: string };

export function messageEvent(message: ReceivedMessage, ciphertextBytes: number | undefined): TailEvent {
  return {
    type: 'message',
    occurred_at: message.occurredAt,
    conversation_id: message.conversationId,
    seq: message.seq,
    message_id: message.messageId,
    event_type: message.eventType,
    sender: message.sender ?? null,
    ciphertext_bytes: ciphertextBytes ?? null,
    ...(message.readable && { text: message.text }),
    ...(message.late && { late: true as const }),
  };
}

export function gapEvent({ conversationId, from, to, reason }: Gap): TailEvent {
  return { type: 'gap', conversation_id: conversationId, from, to, reason };
}

export function memberEvent({ conversationId, change, head }: MembershipChange, userId: string): TailEvent {
  const seq = change === 'added' ? head + 1 : head;
  return { type: 'member', conversation_id: conversationId, change, user_id: userId, seq };
}
