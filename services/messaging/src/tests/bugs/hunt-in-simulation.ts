import { runSeed } from '../simulation/simulate.ts';
import type { Failure, SimWorld } from '../simulation/sim-world.ts';
import type { SimulatedBug } from './bug.ts';
import { type Caught, type Findings, verdictOn } from './caught.ts';

/** Seeds within which a bug must show itself. */
const SEEDS_MAX = 60;

/** Plays seeds with the bug until its check sees it, then the same seeds without. */
export async function huntInSimulation(bug: SimulatedBug): Promise<Caught> {
  const { caughtBy, consequences = [] } = bug;
  const startedAt = performance.now();
  const findings: Failure[] = [];
  let seen: Failure | undefined;
  let stray: Failure | undefined;
  let runs = 0;
  while (seen === undefined && stray === undefined && runs < SEEDS_MAX) {
    runs += 1;
    const found = await findingsOf(bug, runs, { isThere: true });
    findings.push(...found);
    seen = found.find(({ check }) => check === caughtBy);
    if (seen === undefined) stray = found.find(({ check }) => !consequences.includes(check));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  let dirty: Failure | undefined;
  for (let seed = 1; seed <= runs && dirty === undefined; seed++) {
    [dirty] = await findingsOf(bug, seed, { isThere: false });
  }
  return verdictOn(bug, { runs, seconds, findings, seen, stray, dirty });
}

async function findingsOf(
  { apply, circumstances = {} }: SimulatedBug,
  seed: number,
  { isThere }: { readonly isThere: boolean },
): Promise<Findings> {
  const meddle = (world: SimWorld) => {
    circumstances.meddle?.(world);
    if (isThere) apply(world);
  };
  const { adapt } = circumstances;
  const { failures } = await runSeed(seed, { meddle, ...(adapt === undefined ? {} : { adapt }) });
  return failures;
}
