import { encodeContent, type Marks } from '../content.ts';

/** A receipt waits for the next ones: 500 messages that come at once are one receipt. */
const DELAY_MS = 300;

const NOTHING: Marks = { delivered: 0, read: 0 };

/**
 * Tells the others how far this person is, in messages that look like any other to the server. A receipt says all
 * that came before it, so only the newest counts, and receipts are about texts, never about receipts.
 */
export class Receipts {
  readonly #now = new Map<string, Marks>();
  readonly #told = new Map<string, Marks>();
  readonly #name: string;
  readonly #send: (conversationId: string, content: string, marks: Marks) => Promise<unknown>;
  readonly #mayTell: () => boolean;
  #isDue = false;

  constructor(options: {
    /** Whose receipts. */
    name: string;
    send: (conversationId: string, content: string, marks: Marks) => Promise<unknown>;
    /** Not while it is catching up: the marks are moving. */
    mayTell: () => boolean;
  }) {
    this.#name = options.name;
    this.#send = options.send;
    this.#mayTell = options.mayTell;
  }

  reached(conversationId: string, marks: Partial<Marks>): void {
    this.#now.set(conversationId, further(this.#now.get(conversationId), marks));
    this.due();
  }

  /** The others know this much, from here, an earlier run, or another device of this person. */
  told(conversationId: string, marks: Marks): void {
    this.#told.set(conversationId, further(this.#told.get(conversationId), marks));
  }

  /** Something may have to be told. */
  due(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => void this.#tell(), DELAY_MS);
  }

  async #tell(): Promise<void> {
    this.#isDue = false;
    if (!this.#mayTell()) return;
    for (const [conversationId, marks] of this.#now) {
      const { delivered, read } = this.#told.get(conversationId) ?? NOTHING;
      if (marks.delivered <= delivered && marks.read <= read) continue;
      this.told(conversationId, marks);
      const content = encodeContent({ kind: 'receipt', name: this.#name, ...marks });
      await this.#send(conversationId, content, marks).catch(() => undefined);
    }
  }
}

function further(before: Marks = NOTHING, marks: Partial<Marks>): Marks {
  return {
    delivered: Math.max(before.delivered, marks.delivered ?? 0),
    read: Math.max(before.read, marks.read ?? 0),
  };
}
