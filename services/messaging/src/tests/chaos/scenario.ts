import type { ChaosWorld, WorldPlan } from './chaos-world.ts';

export interface FaultOutcome {
  /** What shows that the fault was really there, each by `proven`: without it the run says nothing. */
  readonly proof: readonly string[];
  /** What the service owes meanwhile, each by `promised`: one that is broken fails the run. */
  readonly promises?: readonly Promised[];
  /**
   * What an orchestrator or operator does once the cause is gone, while recovery is being measured: a killed pod is
   * started again.
   */
  readonly afterwards?: () => Promise<unknown>;
}

/**
 * A fault under load. The load is steady before it begins; when `fault` has ended the cause is gone, and the time to
 * recover begins.
 */
export interface Scenario extends Omit<WorldPlan, 'postgres'> {
  /** Unique; how it is asked for. */
  readonly name: string;
  /** For `--list` and the guarantees: what happens. */
  readonly about: string;
  /** From the end of the fault until the p95 is below 2 s again. */
  readonly recoverWithinMs?: number;
  /** A fingerprint of what `fault` calls, where that is not among the harness's own sources. */
  readonly sources?: string;
  /** Messages that end as `dead`, since the scenario makes them so. */
  readonly deadRows?: number;
  /** Entries of the stream are lost that nothing brings back: what a second group gets is judged by its order alone. */
  readonly losesEntries?: boolean;
  /** Brings it about, holds it, shows that it is there, and takes it back. */
  readonly fault: (world: ChaosWorld) => Promise<FaultOutcome>;
}

export const RECOVER_WITHIN_MS = 5000;
/** Of a restart of Postgres. */
export const RECOVER_WITHIN_POSTGRES_MS = 10_000;

/** A fault did not happen, or not so: the run shows nothing. */
export class NotProven extends Error {}

/** The sentence, where it is true. */
export function proven(sentence: string, holds: boolean): string {
  if (!holds) throw new NotProven(`not so: ${sentence}`);
  return sentence;
}

/** Something that the service owes while the fault is there, in words, and whether it was so. */
export interface Promised {
  readonly sentence: string;
  readonly isKept: boolean;
}

export function promised(sentence: string, isKept: boolean): Promised {
  return { sentence, isKept };
}

/** Holds a fault for so long. */
export function lasting(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
