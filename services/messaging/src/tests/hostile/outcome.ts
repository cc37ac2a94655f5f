/** What an attack came to: how often each answer was given, such as `closed 4408` or `status 400`. */
export type Outcome = ReadonlyMap<string, number>;

export class Tally implements Iterable<[string, number]> {
  readonly counts = new Map<string, number>();

  add(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  [Symbol.iterator](): IterableIterator<[string, number]> {
    return this.counts[Symbol.iterator]();
  }
}

/** `1000 closed 4408, 3 status 503`. */
export function inWords(outcome: Outcome): string {
  return [...outcome].map(([what, count]) => `${count} × ${what}`).join(', ');
}

/** Nothing but what is allowed, and enough of each. */
export function isAnswered(outcome: Outcome, answers: Readonly<Record<string, number>>): boolean {
  const isAllowed = [...outcome.keys()].every((what) => Object.hasOwn(answers, what));
  return isAllowed && Object.entries(answers).every(([what, min]) => (outcome.get(what) ?? 0) >= min);
}
