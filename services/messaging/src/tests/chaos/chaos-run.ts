/** A finished run of a scenario: one line of `docs/evidence/chaos.ndjson`. Times are ISO 8601, durations whole ms. */
export interface ChaosRun {
  readonly scenario: string;
  /** What happened, in words. */
  readonly about: string;
  /** The release of PostgreSQL. */
  readonly postgres: number;
  readonly round: number;
  /** The sources that were run; see code-fingerprint.ts. */
  readonly code: string;
  readonly startedAt: string;
  readonly endedAt: string;
  /** What shows that the fault was there. */
  readonly proof: readonly string[];
  /** What the service owed meanwhile, and kept; what it did not keep is among the failures. */
  readonly kept: readonly string[];
  /** From the beginning of the fault until its cause was gone. */
  readonly faultMs: number;
  /** From then until the p95 of POST→frame was below 2 s and stayed there for 6 s; null: not within the run. */
  readonly recoveryMs: number | null;
  /** From then until the consumers' lag was below 5 s for good. */
  readonly lagRecoveryMs: number;
  /** What `recoveryMs` should be, as a median over rounds. */
  readonly recoverWithinMs: number;
  /** p95 of POST→frame from the beginning of the fault until its cause was gone, and of what was posted before; null: more than 5 % never came. */
  readonly p95Ms: { readonly before: number | null; readonly during: number | null };
  /** Messages accepted, and attempts that were not. */
  readonly posts: number;
  readonly retries: number;
  /** Message frames that clients received, repeats included. */
  readonly deliveries: number;
  readonly conversations: number;
  readonly devices: number;
  readonly reconnects: number;
  /** Rows that ended as `dead`; those that the scenario made so are expected. */
  readonly deadRows: number;
  /** By check of the history checker; empty: none. */
  readonly violations: Readonly<Record<string, number>>;
  /** Everything that was not as promised, violations among it, in words; empty: passed. */
  readonly failures: readonly string[];
}
