import assert from 'node:assert/strict';
import { PAYLOAD_MAX_BYTES_DEFAULT, tooLargeAbove } from '@sanctum/protocol';
import { type CheckedHistory, checkHistory } from '../history/check-history.ts';
import { machineClock } from '../history/history-writer.ts';
import { readFinalState } from '../history/read-final-state.ts';
import { readHistory } from '../history/read-history.ts';
import { eventually } from '../support/eventually.ts';
import type { ChaosRun } from './chaos-run.ts';
import { ChaosWorld } from './chaos-world.ts';
import { HEALTHY_P95_MS } from './latency-watch.ts';
import { LagWatch } from './lag-watch.ts';
import { RECOVER_WITHIN_MS, type Scenario } from './scenario.ts';
import { SecondGroup } from './second-group.ts';
import { deadRows, unsettled } from './settled.ts';

/** The load runs so long without a hitch before the fault begins, and before it ends. */
const STEADY_MS = 2000;
/** Recovered is what stays well for so long: longer than what others' work is claimed after. */
const RECOVERED_FOR_MS = 6000;
const WARM_UP_MAX_MS = 60_000;
/** Thousands of them connect for longer. */
const WARM_UP_MAX_MS_PER_DEVICE = 20;
const RECOVERY_MAX_MS = 45_000;
const SETTLE_MAX_MS = 30_000;
/** Seldom enough to cost the run nothing. */
const LOOK_EVERY_MS = 100;
const VIOLATIONS_SHOWN_MAX = 10;

export interface PlayOptions {
  readonly postgres: number;
  readonly round: number;
  readonly code: string;
  /** The checker's; see `CheckOptions`. */
  readonly settleWithinMs?: number;
  /** A folder for the history and the pods' logs of a run that failed, or was slow to recover. */
  readonly keepIn?: string;
  /** What is going on, for whoever waits. */
  readonly note?: (text: string) => void;
}

/** Plays one scenario once, from the first server to the verdict. Everything it started is ended. */
export async function playScenario(scenario: Scenario, options: PlayOptions): Promise<ChaosRun> {
  const startedAt = new Date().toISOString();
  const world = await ChaosWorld.start({ ...scenario, postgres: options.postgres });
  let isGood = false;
  try {
    const seen = await playIn(world, scenario, options);
    const { name, about, recoverWithinMs = RECOVER_WITHIN_MS } = scenario;
    isGood = seen.failures.length === 0 && (seen.recoveryMs ?? Infinity) <= recoverWithinMs;
    const { postgres, round, code } = options;
    const endedAt = new Date().toISOString();
    return { scenario: name, about, postgres, round, code, startedAt, endedAt, recoverWithinMs, ...seen };
  } finally {
    if (!isGood && options.keepIn !== undefined) await world.keep(options.keepIn);
    await world.end();
  }
}

type Seen = Omit<
  ChaosRun,
  'scenario' | 'about' | 'postgres' | 'round' | 'code' | 'startedAt' | 'endedAt' | 'recoverWithinMs'
>;

async function playIn(world: ChaosWorld, scenario: Scenario, options: PlayOptions): Promise<Seen> {
  const { note = () => undefined } = options;
  const { load, history } = world;
  const failures: string[] = [];
  if (scenario.losesEntries !== true) history.append({ type: 'observe' });
  const secondGroup = new SecondGroup(
    { url: () => world.redis.url, connected: (use, url) => world.withRedis(use, url) },
    history,
  );
  secondGroup.start();
  world.onEnd(() => secondGroup.stop());
  await load.populate();
  const warmUpMaxMs = WARM_UP_MAX_MS + WARM_UP_MAX_MS_PER_DEVICE * load.devices.length;
  // What is posted before its readers are there is late by its nature.
  await eventually(
    () =>
      assert(
        load.devices.every(({ isReady }) => isReady),
        'not all have connected',
      ),
    warmUpMaxMs,
    LOOK_EVERY_MS,
  );
  load.start();
  if (!(await steady(world, { forMs: STEADY_MS, withinMs: warmUpMaxMs })))
    throw new Error('the load was not steady before the fault');
  const before = machineClock.monotonic();
  note(`steady, p95 ${Math.round(load.watch.p95At(before))} ms`);

  history.append({ type: 'fault', phase: 'begin', name: scenario.name });
  const { proof, promises = [], afterwards } = await scenario.fault(world);
  history.append({ type: 'fault', phase: 'end', name: scenario.name });
  if (proof.length === 0) throw new Error('the scenario proves nothing');
  const faultEnd = machineClock.monotonic();
  note(`the fault is over: ${proof.join('; ')}`);
  const kept = promises.filter(({ isKept }) => isKept).map(({ sentence }) => sentence);
  if (kept.length > 0) note(`kept meanwhile: ${kept.join('; ')}`);
  failures.push(...promises.filter(({ isKept }) => !isKept).map(({ sentence }) => `not kept: ${sentence}`));

  // A pod that cannot be started again is a failure of the service's, and the run goes on to its verdict.
  const restored = afterwards?.().catch((error: unknown) => {
    failures.push(`not restored: ${(error as Error).message}`);
  });
  const lag = new LagWatch(world.pods);
  lag.start();
  // A little longer: what is looked at afterwards begins and ends at other moments.
  await steady(world, { forMs: RECOVERED_FOR_MS + 10 * LOOK_EVERY_MS, withinMs: RECOVERY_MAX_MS, lag });
  await restored;
  if (!(await steady(world, { forMs: STEADY_MS, withinMs: RECOVERY_MAX_MS, lag })))
    failures.push(`after ${RECOVERY_MAX_MS} ms the latency or the consumers' lag is still too long`);
  const recoveryMs = load.watch.recoveryMs({
    since: faultEnd,
    until: machineClock.monotonic(),
    lastingMs: RECOVERED_FOR_MS,
  });
  await lag.stop();
  if (lag.broadcast === 0) failures.push('the consumers broadcast nothing');
  if (recoveryMs === undefined) failures.push(`not recovered within ${RECOVERY_MAX_MS} ms`);
  else note(`recovered after ${Math.round(recoveryMs)} ms`);
  await load.stop();
  failures.push(...(await settle(world)));
  await secondGroup.stop();
  failures.push(...load.complaints);
  for (const { name, isAlive } of world.pods) if (!isAlive) failures.push(`${name} is dead in the end`);
  const dead = await deadRows(world);
  const deadWanted = scenario.deadRows ?? 0;
  if (dead !== deadWanted) failures.push(`${dead} rows are dead, and ${deadWanted} should be`);

  const { violations, counts } = await judge(world, options);
  for (const { check, conversationId, connection, text } of violations.slice(0, VIOLATIONS_SHOWN_MAX)) {
    failures.push([check, conversationId, connection, text].filter((part) => part !== undefined).join(' '));
  }
  return {
    proof,
    kept,
    faultMs: Math.round(faultEnd - before),
    recoveryMs: recoveryMs === undefined ? null : Math.round(recoveryMs),
    lagRecoveryMs: lag.lastBadAt === undefined ? 0 : Math.max(0, Math.round(lag.lastBadAt - faultEnd)),
    p95Ms: {
      before: finite(load.watch.p95Of({ from: 0, to: before - HEALTHY_P95_MS })),
      during: finite(load.watch.p95Of({ from: before, to: faultEnd })),
    },
    posts: load.accepted,
    retries: load.retries,
    deliveries: counts.deliveries,
    conversations: load.conversations.length,
    devices: load.devices.length,
    reconnects: load.reconnects,
    deadRows: dead,
    violations: counts.violations,
    failures,
  };
}

/**
 * Waits until the p95, and the consumers' lag where it is watched, have been well for so long; false where they were
 * not within the bound.
 */
async function steady(
  { load }: ChaosWorld,
  options: { readonly forMs: number; readonly withinMs: number; readonly lag?: LagWatch },
): Promise<boolean> {
  const { forMs, withinMs, lag } = options;
  let wellSince: number | undefined;
  try {
    await eventually(
      () => {
        const now = machineClock.monotonic();
        if (load.watch.p95At(now) >= HEALTHY_P95_MS) wellSince = undefined;
        else wellSince ??= now;
        const since = Math.max(wellSince ?? Infinity, (lag?.lastBadAt ?? -Infinity) + STEADY_MS - forMs);
        if (now - since < forMs) throw new Error('not yet');
      },
      withinMs,
      LOOK_EVERY_MS,
    );
    return true;
  } catch {
    return false;
  }
}

/** Waits until everybody has everything; what had not within the bound. */
async function settle(world: ChaosWorld): Promise<string[]> {
  let left: string[] = [];
  try {
    await eventually(
      async () => {
        left = await unsettled(world);
        if (left.length > 0) throw new Error('not yet');
      },
      SETTLE_MAX_MS,
      LOOK_EVERY_MS,
    );
    return [];
  } catch (error) {
    return left.length > 0 ? left : [(error as Error).message];
  }
}

async function judge(world: ChaosWorld, { settleWithinMs }: PlayOptions): Promise<CheckedHistory> {
  const { load, history, historyFile, postgres } = world;
  for (const device of load.devices) device.acknowledge();
  history.append({ type: 'end' });
  history.flush();
  const final = await readFinalState(postgres.url, tooLargeAbove(PAYLOAD_MAX_BYTES_DEFAULT));
  return checkHistory(
    readHistory([historyFile]),
    final,
    settleWithinMs === undefined ? {} : { settleWithinMs },
  );
}

function finite(ms: number): number | null {
  return Number.isFinite(ms) ? Math.round(ms) : null;
}
