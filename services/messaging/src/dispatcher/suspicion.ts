/** So many broken connections on one row make it a suspect. */
const STRIKES_MAX = 3;

/**
 * A bucket's suspicion: the row at which connections broke, and how often, while Redis answered on another one.
 * A row can do that (too large for the server's limits, say), and would look like an outage that never ends.
 */
export interface Suspicion {
  readonly row: string;
  readonly strikes: number;
}

/** After another connection broke at `row`. */
export function strike(before: Suspicion | undefined, row: string): Suspicion {
  return { row, strikes: before?.row === row ? before.strikes + 1 : 1 };
}

/** Whether the bucket's rows go one at a time until the suspect stands alone. */
export function goesOneByOne(suspicion: Suspicion | undefined): boolean {
  return suspicion !== undefined && suspicion.strikes >= STRIKES_MAX;
}
