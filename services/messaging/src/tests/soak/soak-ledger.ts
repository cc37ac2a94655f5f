/** Places of a conversation that are remembered: what was posted or seen there. */
const PLACES_MAX = 512;
const EXAMPLES_MAX = 10;

export type SoakCheck =
  /** The client's rule calls it the server's fault: a hole, a frame of a conversation that it is not in. */
  | 'rule'
  /** Two messages at one place, or one message at two. */
  | 'place'
  /** Not the bytes that were posted. */
  | 'content'
  /** A gap for a reason that the run gave no cause for. */
  | 'gap'
  /** A member is behind what was accepted longer ago than the bound. */
  | 'late'
  /** The log holds another number of messages than were accepted. */
  | 'count'
  /** A connection that the server ended, or a reset. */
  | 'connection';

export interface SoakViolations {
  readonly check: SoakCheck;
  readonly count: number;
  readonly examples: readonly string[];
}

interface Conversation {
  readonly idAt: Map<number, string>;
  readonly seqOf: Map<string, number>;
  accepted: number;
  /** Posts without an answer: there or not. */
  unknown: number;
  head: number;
  /** The head at each of the last ticks, the newest last. */
  readonly heads: number[];
}

/**
 * The history of a run without an end, judged as it happens. Memory grows with conversations, not with messages: of
 * each the last places are remembered, the head some ticks ago, and how many were accepted.
 */
export class SoakLedger {
  readonly #conversations = new Map<string, Conversation>();
  readonly #violations = new Map<SoakCheck, { count: number; examples: string[] }>();
  readonly #ticksKept: number;
  accepted = 0;
  unknown = 0;

  /** @param ticksKept `lateHead` is the head so many ticks ago */
  constructor(ticksKept: number) {
    this.#ticksKept = ticksKept;
  }

  get violations(): SoakViolations[] {
    return [...this.#violations].map(([check, { count, examples }]) => ({ check, count, examples }));
  }

  /** From now on messages may come; what is not open is not judged. */
  open(conversationId: string): void {
    const empty = { idAt: new Map(), seqOf: new Map(), accepted: 0, unknown: 0, head: 0, heads: [] };
    this.#conversations.set(conversationId, empty);
  }

  /** A `POST` was answered with its place. */
  postAccepted(conversationId: string, seq: number, messageId: string): void {
    this.accepted += 1;
    const conversation = this.#conversations.get(conversationId);
    if (conversation === undefined) return;
    conversation.accepted += 1;
    conversation.head = Math.max(conversation.head, seq);
    this.#place(conversation, conversationId, seq, messageId);
  }

  postUnknown(conversationId: string): void {
    this.unknown += 1;
    const conversation = this.#conversations.get(conversationId);
    if (conversation !== undefined) conversation.unknown += 1;
  }

  /** A message came; `contentId` is the id that stands in its ciphertext. */
  delivered(conversationId: string, seq: number, messageId: string, contentId: string | undefined): void {
    if (contentId !== messageId) this.violate('content', `${conversationId} ${seq}: ${messageId}`);
    const conversation = this.#conversations.get(conversationId);
    if (conversation !== undefined) this.#place(conversation, conversationId, seq, messageId);
  }

  violate(check: SoakCheck, text: string): void {
    const found = this.#violations.get(check) ?? { count: 0, examples: [] };
    found.count += 1;
    if (found.examples.length < EXAMPLES_MAX) found.examples.push(text);
    this.#violations.set(check, found);
  }

  /** At even intervals. */
  tick(): void {
    for (const { heads, head } of this.#conversations.values()) {
      heads.push(head);
      if (heads.length > this.#ticksKept) heads.shift();
    }
  }

  /** What every member has to have by now: what had been accepted `ticksKept` ticks ago. */
  lateHead(conversationId: string): number {
    const heads = this.#conversations.get(conversationId)?.heads ?? [];
    return heads.length < this.#ticksKept ? 0 : heads[0]!;
  }

  /** The last place that was accepted. */
  headOf(conversationId: string): number {
    return this.#conversations.get(conversationId)?.head ?? 0;
  }

  /** Nothing comes of it any more: how many the log has to hold is compared, and the conversation is forgotten. */
  close(conversationId: string, lastSeq: number): void {
    const conversation = this.#conversations.get(conversationId);
    if (conversation === undefined) return;
    const { accepted, unknown } = conversation;
    this.#conversations.delete(conversationId);
    if (lastSeq < accepted || lastSeq > accepted + unknown) {
      this.violate(
        'count',
        `${conversationId}: ${accepted} accepted, ${unknown} unknown, ${lastSeq} in the log`,
      );
    }
  }

  #place(conversation: Conversation, conversationId: string, seq: number, messageId: string): void {
    const { idAt, seqOf } = conversation;
    const id = idAt.get(seq);
    const place = seqOf.get(messageId);
    if (id === undefined && place === undefined) {
      idAt.set(seq, messageId);
      seqOf.set(messageId, seq);
      // Maps keep the order of their insertion: the first one is the oldest.
      if (idAt.size > PLACES_MAX) {
        const [oldest, its] = idAt.entries().next().value!;
        idAt.delete(oldest);
        seqOf.delete(its);
      }
    } else if (id !== messageId || place !== seq) {
      this.violate('place', `${conversationId} ${seq}: ${messageId}, and ${id ?? `the same at ${place}`}`);
    }
  }
}
