import type { SeqRange } from '../cursor-rule.ts';

/** The end of a range, and since when it has been open, in milliseconds since 1970. */
export type RangeAge = readonly [to: number, sinceMs: number];

/** Since when dead letters have been waited for, so that the waiting ends. The cursor rule knows no time. */
export class RangeAges {
  readonly #byConversation = new Map<string, RangeAge[]>();

  /** A range up to `to` was opened. */
  note(conversationId: string, to: number, sinceMs: number): void {
    const ages = this.#byConversation.get(conversationId) ?? [];
    this.#byConversation.set(conversationId, ages);
    ages.push([to, sinceMs]);
  }

  /** What is known of the ranges that are still open; the rest is forgotten. */
  of(conversationId: string, openRanges: readonly SeqRange[]): readonly RangeAge[] {
    const first = openRanges[0]?.[0] ?? Infinity;
    const ages = (this.#byConversation.get(conversationId) ?? []).filter(([to]) => to >= first);
    if (ages.length === 0) this.#byConversation.delete(conversationId);
    else this.#byConversation.set(conversationId, ages);
    return [...ages];
  }

  /** The last `seq` that was opened before a moment, or undefined. */
  olderThan(conversationId: string, beforeMs: number): number | undefined {
    const ages = this.#byConversation.get(conversationId) ?? [];
    return ages.findLast(([, sinceMs]) => sinceMs < beforeMs)?.[0];
  }
}
