import type { Pipeline, Stage } from '@sanctum/protocol/admin';

/** Idle stages do something every 5 s, for the synthetic message: by so many looks, 1.5 s apart, each has. */
const LOOKS_MAX = 5;
/** Those that may be taken for down since they did nothing. */
const BY_RATE: ReadonlySet<Stage['name']> = new Set(['intake', 'dispatcher', 'consumer']);

/**
 * Looks once, and again while a stage is down that may only have been quiet for as long as it was looked at. `pause`
 * answers false where there is no more time.
 */
export async function lookUntilSure(
  look: () => Promise<Pipeline>,
  pause: () => Promise<boolean>,
): Promise<Pipeline> {
  let pipeline = await look();
  for (let looks = 1; looks < LOOKS_MAX && pipeline.stages.some(isDoubtful); looks += 1) {
    if (!(await pause())) break;
    pipeline = await look();
  }
  return pipeline;
}

/** A stage whose pods are gone is down whatever its rate. */
function isDoubtful({ name, health, rate, pods }: Stage): boolean {
  return health === 'down' && rate === 0 && pods > 0 && BY_RATE.has(name);
}
