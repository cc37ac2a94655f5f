import type { CheckName } from '../history/check-history.ts';
import type { Scenario } from '../simulation/scenario.ts';
import type { Failure, SimWorld } from '../simulation/sim-world.ts';

/** A deliberate bug. It lives in tests alone: the product has no switch for it. */
export type Bug = SimulatedBug | ServersBug;

interface Named {
  readonly name: string;
  /** What is wrong, in plain words. */
  readonly what: string;
}

export interface SimulatedBug extends Named {
  readonly where: 'simulation';
  /** The check that must see it. */
  readonly caughtBy: Failure['check'];
  /** Checks that see a consequence of it, in some seeds without the one that must. */
  readonly consequences?: readonly Failure['check'][];
  /** What the run with the bug and the control run have in common. Default: the seed's own story, whole. */
  readonly circumstances?: Circumstances;
  readonly apply: (world: SimWorld) => void;
}

/** The part of a seed's story in which the bug shows itself, and what else the world is like. */
export interface Circumstances {
  readonly adapt?: (scenario: Scenario) => Scenario;
  readonly meddle?: (world: SimWorld) => void;
}

/** One that is in the database's own functions, so only real servers have it. */
export interface ServersBug extends Named {
  readonly where: 'servers';
  readonly caughtBy: CheckName;
  /** Changes the text of `messaging.append_messages`, which intake calls. */
  readonly rewrite: (definition: string) => string;
  /** Statements that the changed function needs. */
  readonly prepare?: string;
}
