/** Rows that Redis cannot take: of each conversation named the next one that comes, until it is forgiven. */
export class SpoiltRows {
  readonly #awaited = new Set<string>();
  readonly #messageIds = new Map<string, string>();
  /** Some row was one of them. */
  hasMet = false;

  /** Call what is returned to forgive it. */
  await(conversationId: string): () => void {
    this.#awaited.add(conversationId);
    return () => {
      this.#awaited.delete(conversationId);
      this.#messageIds.delete(conversationId);
    };
  }

  meets({
    conversationId,
    messageId,
  }: {
    readonly conversationId: string;
    readonly messageId: string;
  }): boolean {
    if (this.#awaited.delete(conversationId)) {
      this.#messageIds.set(conversationId, messageId);
      this.hasMet = true;
    }
    return this.#messageIds.get(conversationId) === messageId;
  }
}
