import { inWords, runSeed } from './simulate.ts';

/** From the parent: play this seed. */
export interface SeedOrder {
  readonly seed: number;
}

/** To the parent: how it went. */
export interface SeedVerdict {
  readonly seed: number;
  readonly failures: readonly string[];
  readonly cpuMs: number;
  readonly events: number;
  /** See met.ts. */
  readonly met: readonly string[];
}

// Faults are made by the thousand, and nobody reads where.
Error.stackTraceLimit = 0;

process.on('message', ({ seed }: SeedOrder) => {
  const before = process.cpuUsage();
  const tell = (failures: readonly string[], events: number, met: readonly string[]) => {
    const { user, system } = process.cpuUsage(before);
    const verdict: SeedVerdict = { seed, failures, cpuMs: (user + system) / 1000, events, met };
    process.send?.(verdict);
  };
  runSeed(seed).then(
    ({ failures, events, met }) => tell(failures.map(inWords), events.length, met),
    (error: unknown) => tell([`the simulation itself failed: ${String(error)}`], 0, []),
  );
});
process.on('disconnect', () => process.exit());
