import type { Failure } from '../simulation/sim-world.ts';
import type { Bug } from './bug.ts';

/** What became of a bug, and of the same runs without it. */
export interface Caught {
  readonly name: string;
  readonly what: string;
  readonly where: 'simulation' | 'servers';
  /** The check that must see it. */
  readonly caughtBy: string;
  readonly caught: boolean;
  /** Until it was seen: seeds, or one real run. */
  readonly runs: number;
  /** All checks that saw something of it. */
  readonly seenBy: readonly string[];
  /** Nothing was seen in the same runs without the bug. */
  readonly controlClean: boolean;
  /** Of the runs with the bug, until it was seen. */
  readonly seconds: number;
  /** What is wrong, where something is; else the first thing that was seen. */
  readonly says: string;
}

/** What `pnpm test:bugs --report` writes. */
export interface BugReport {
  /** The sources that were played. */
  readonly code: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly bugs: readonly Caught[];
}

export type Findings = readonly Failure[];

export interface Outcome {
  readonly runs: number;
  readonly seconds: number;
  /** Of all runs with the bug. */
  readonly findings: Findings;
  /** By the check that must. */
  readonly seen: Failure | undefined;
  /** By another one. */
  readonly stray: Failure | undefined;
  /** In a control run. */
  readonly dirty: Failure | undefined;
}

export function verdictOn(bug: Bug, { runs, seconds, findings, seen, stray, dirty }: Outcome): Caught {
  const { name, what, where, caughtBy } = bug;
  const caught = seen !== undefined;
  let says = seen?.text ?? '';
  if (!caught && stray === undefined) says = `nothing was seen in ${runs} runs`;
  else if (!caught) says = `not seen by ${caughtBy}, but by ${stray!.check}: ${stray!.text}`;
  else if (dirty !== undefined) says = `the control run is not clean: ${dirty.check}: ${dirty.text}`;
  const seenBy = [...new Set(findings.map(({ check }) => check))].toSorted();
  return {
    name,
    what,
    where,
    caughtBy,
    caught,
    runs,
    seenBy,
    controlClean: dirty === undefined,
    seconds: Math.round(seconds * 10) / 10,
    says,
  };
}

/** Seen by its own check, and nothing seen without it. */
export function isProven({ caught, controlClean }: Caught): boolean {
  return caught && controlClean;
}
