import type { AppendOutcome, AppendRequest } from '../ports.ts';
import { Sealed } from '../sealed.ts';
import { contentHash, type MessageContent } from './content-hash.ts';

/** A message that somebody wants to send; every field has been validated. */
export interface MessageDraft extends MessageContent {
  readonly messageId: string;
}

/** What becomes of a draft. `retryAfterMs` is a hint. */
export type IntakeOutcome =
  | Exclude<AppendOutcome, { kind: 'busy' }>
  /** Nothing was written: the queue is full, or the conversation is locked by somebody else. */
  | { readonly kind: 'overloaded'; readonly retryAfterMs: number }
  /** Nobody knows whether it was written: the same draft again will tell. */
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number }
  /** This message can never be stored. */
  | { readonly kind: 'internal' };

/** A draft on its way through intake. It is answered exactly once. */
export class PendingMessage {
  readonly request: AppendRequest;
  readonly bytes: number;
  readonly acceptedAt: number;
  /** The same message again, in the same group: they share its outcome. */
  readonly repeats: PendingMessage[] = [];
  readonly #answer: (outcome: IntakeOutcome) => void;
  #isAnswered = false;

  constructor(
    draft: MessageDraft,
    made: { readonly eventId: string; readonly acceptedAt: number },
    answer: (outcome: IntakeOutcome) => void,
  ) {
    const payload = payloadJson(draft);
    this.request = {
      conversationId: draft.conversationId,
      messageId: draft.messageId,
      eventId: made.eventId,
      sender: draft.sender,
      payload: new Sealed(payload),
      contentHash: contentHash(draft),
    };
    this.bytes = payload.length;
    this.acceptedAt = made.acceptedAt;
    this.#answer = answer;
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Whether this is the same message, and not another one under the same id. */
  isSameAs(other: PendingMessage): boolean {
    return this.request.contentHash.equals(other.request.contentHash);
  }

  /** Answers it and its repeats. A second answer is dropped: the first one has been sent. */
  answer(outcome: IntakeOutcome): void {
    if (!this.#isAnswered) {
      this.#isAnswered = true;
      this.#answer(outcome);
    }
    const again: IntakeOutcome = outcome.kind === 'accepted' ? { ...outcome, kind: 'duplicate' } : outcome;
    for (const repeat of this.repeats) repeat.answer(again);
  }
}

/** Ciphertext, scheme and key id consist of characters that JSON does not escape; the sender need not. */
function payloadJson({ ciphertext, encryption, sender }: MessageDraft): string {
  let json = `{"ciphertext":"${ciphertext}"`;
  if (encryption !== undefined) {
    const keyId = encryption.key_id === undefined ? '' : `,"key_id":"${encryption.key_id}"`;
    json += `,"encryption":{"scheme":"${encryption.scheme}"${keyId}}`;
  }
  return `${json},"sender":${JSON.stringify(sender)}}`;
}
