import type { Conversation, Message } from './model.ts';

/** An epoch that was raised; `heads`: what a restore set the log back to, by conversation. */
interface Raise {
  readonly epoch: number;
  readonly heads: ReadonlyMap<string, number> | undefined;
}

/**
 * What became of places when the epoch was raised. Up to what a restore left, a place names the same message in the
 * new epoch; above that it is void, and given anew.
 */
export class EpochBook {
  readonly #raises: Raise[] = [];

  raise(epoch: number, heads: ReadonlyMap<string, number> | undefined): void {
    this.#raises.push({ epoch, heads });
  }

  /** The highest place of an epoch that still holds in a later one. */
  survivors(conversationId: string, from: number, to: number): number {
    let survivors = Infinity;
    for (const { epoch, heads } of this.#raises) {
      if (epoch <= from || epoch > to || heads === undefined) continue;
      survivors = Math.min(survivors, heads.get(conversationId) ?? 0);
    }
    return survivors;
  }

  /** Who is where in a conversation; a new epoch begins with what the one before has left it. */
  placesOf(conversation: Conversation, epoch: number): (Message | undefined)[] {
    const known = conversation.books.get(epoch);
    if (known !== undefined) return known;
    let before = 0;
    for (const other of conversation.books.keys()) if (other < epoch && other > before) before = other;
    const inherited = conversation.books.get(before) ?? [];
    const places = inherited.slice(0, this.survivors(conversation.id, before, epoch) + 1);
    conversation.books.set(epoch, places);
    return places;
  }

  /** A message's place in an epoch, as far as anybody has met it; undefined for none. */
  placeOf(message: Message, epoch: number): number | undefined {
    if (message.epoch === 0 || message.epoch > epoch) return undefined;
    if (message.epoch === epoch) return message.seq;
    const survivors = this.survivors(message.conversation.id, message.epoch, epoch);
    return message.seq <= survivors ? message.seq : undefined;
  }
}
