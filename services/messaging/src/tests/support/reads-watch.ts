import type { ReaderLog } from '../../ports.ts';

/** Counts the reads under way and those that asked for a conversation's head, for tests that move the clock. */
export class ReadsWatch {
  readonly #conversationId: string;
  #underWay = 0;
  #idle: (() => void)[] = [];
  /** Of the conversation, answered. */
  headReads = 0;
  /** Further reads of its head that are answered; beyond them they fail. */
  answersLeft = Infinity;

  constructor(conversationId = '') {
    this.#conversationId = conversationId;
  }

  readonly wrap = (reader: ReaderLog): ReaderLog =>
    new Proxy(reader, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name, target);
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]) => {
          if (name === 'readHeads' && (args[0] as string[]).includes(this.#conversationId)) {
            if (this.answersLeft === 0) throw new Error('one look more than was allowed for');
            this.answersLeft -= 1;
            this.headReads += 1;
          }
          this.#underWay += 1;
          try {
            return await (method as (...given: unknown[]) => Promise<unknown>).apply(target, args);
          } finally {
            // What the answer sets off begins in the turns that follow it.
            setImmediate(() => setImmediate(() => this.#ended()));
          }
        };
      },
    });

  /** Resolves when no read is under way. */
  async idle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #ended(): void {
    this.#underWay -= 1;
    if (this.#underWay === 0) for (const tell of this.#idle.splice(0)) tell();
  }
}
