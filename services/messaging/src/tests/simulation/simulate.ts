import { createHash } from 'node:crypto';
import { checkHistory, type Violation } from '../history/check-history.ts';
import { encodeEvent } from '../history/history-codec.ts';
import type { HistoryEvent } from '../history/history.ts';
import { metIn } from './met.ts';
import { type Scenario, scenarioOf } from './scenario.ts';
import { finalStateOf } from './sim-final-state.ts';
import { SimNemesis } from './sim-nemesis.ts';
import { slowPathCount } from './sim-stages.ts';
import { SimOperator } from './sim-operator.ts';
import { type Failure, SimWorld } from './sim-world.ts';
import { unsettled } from './unsettled.ts';

/** Retries, head checks and back-offs are over by then, and more than once. */
const SETTLE_WITHIN_MS = 90_000;
const SETTLE_LOOK_MS = 250;
/** The slow path's 30 s, and then some for the slowest line with the least credit. */
const HEAD_WITHIN_MS = 60_000;
const REPLAY_WITHIN_MS = 5000;
/** Well within the time that a head check leaves to the bus. */
const SHORT_TICK_MS = 100;
/** Nothing more may come once everybody has everything. */
const CALM_MS = 1500;

export interface SeedResult {
  readonly seed: number;
  /** Empty where every promise was kept. */
  readonly failures: readonly Failure[];
  readonly events: readonly HistoryEvent[];
  readonly scenario: Scenario;
  /** See met.ts. */
  readonly met: readonly string[];
  /** Simulated time from the end of the faults until everybody had everything. */
  readonly settledMs: number;
}

export interface SeedOptions {
  /** Breaks something that no fault may break. */
  readonly meddle?: (world: SimWorld) => void;
  /** Plays a part of the seed's story, or another one. */
  readonly adapt?: (scenario: Scenario) => Scenario;
}

/** Plays a seed from its beginning to the judgement. */
export async function runSeed(
  seed: number,
  { meddle, adapt = (scenario) => scenario }: SeedOptions = {},
): Promise<SeedResult> {
  const scenario = adapt(scenarioOf(seed));
  const world = new SimWorld(scenario);
  meddle?.(world);
  const slowPathBefore = await slowPathCount();
  const { clock, history } = world;
  const operator = new SimOperator(world);
  operator.createConversations();
  const nemesis = new SimNemesis(world, operator);
  for (const step of scenario.steps) {
    clock.setTimer(step.atMs, () => {
      if (step.kind === 'post') world.users.post(step);
      else if (step.kind === 'change') world.users.change(step);
      else if (step.kind === 'operate') operator.act(step);
      else if (step.kind === 'fault') nemesis.strike(step);
      else world.reseat(step);
    });
    if (step.kind === 'fault' && step.name === 'restore') {
      clock.setTimer(step.atMs * step.rate, () => nemesis.backUp());
    }
  }
  await clock.run(scenario.durationMs + 1);
  nemesis.heal();
  const healedAt = clock.monotonic();
  await settle(world);
  const settledMs = clock.monotonic() - healedAt;
  if (scenario.calmSteps.length > 0) await quiet(world);
  world.isCalm = true;
  for (const step of scenario.calmSteps) operator.act(step);
  await clock.run(clock.monotonic() + (scenario.calmSteps.length > 0 ? REPLAY_WITHIN_MS + 500 : CALM_MS));
  // A token may have run out meanwhile.
  const left = await settle(world);
  history.append({ type: 'end' });
  const { violations } = checkHistory(world.events, await finalStateOf(world), {
    settleWithinMs: HEAD_WITHIN_MS,
    replayWithinMs: REPLAY_WITHIN_MS,
  });
  const slowPaths = (await slowPathCount()) - slowPathBefore;
  if (isUndisturbed(scenario) && slowPaths > 0)
    world.complain('slow_path', `${slowPaths} times the slow path, and no fault`);
  const failures = [
    ...world.complaints,
    ...left.map((text) => ({ check: 'unsettled' as const, text })),
    ...violations.map(toFailure),
  ];
  const met = [...metIn(world.events), ...nemesis.spoilt];
  return { seed, failures, events: world.events, scenario, met, settledMs };
}

/**
 * Nothing waits for longer than a head check allows: no fault, no operator, whose rows wait for the next tick, nor
 * rows that come while another dispatcher owns their bucket, which wait for it too.
 */
function isUndisturbed({ steps, pods, settings }: Scenario): boolean {
  const isWhole = pods.some((pod) => pod.dispatcher && pod.consumer);
  const isAlone = pods.filter((pod) => pod.dispatcher).length === 1 || settings.tickMs <= SHORT_TICK_MS;
  return isWhole && isAlone && steps.every((step) => step.kind !== 'fault' && step.kind !== 'operate');
}

/** Until everybody has everything, or for as long as that may take; says what is left. */
async function settle(world: SimWorld): Promise<string[]> {
  const { clock } = world;
  const untilMs = clock.monotonic() + SETTLE_WITHIN_MS;
  let left = unsettled(world);
  while (left.length > 0 && clock.monotonic() < untilMs) {
    await clock.run(clock.monotonic() + SETTLE_LOOK_MS);
    left = unsettled(world);
  }
  return left;
}

/** Until nothing is on its way any more: a device with the least credit may still be sent older replays, one by one. */
async function quiet({ clock, events }: SimWorld): Promise<void> {
  const untilMs = clock.monotonic() + SETTLE_WITHIN_MS;
  const quietAt = () => (events.findLast(({ type }) => type === 'message')?.at ?? 0) + CALM_MS;
  while (quietAt() > clock.monotonic() && clock.monotonic() < untilMs) await clock.run(quietAt());
}

function toFailure({ check, at, conversationId, connection, text }: Violation): Failure {
  const where = [at === undefined ? 'in the end' : `${Math.round(at)} ms`, conversationId, connection];
  return { check, text: `${text} (${where.filter((part) => part !== undefined).join(', ')})` };
}

export function inWords({ check, text }: Failure): string {
  return `${check}: ${text}`;
}

/** The history, byte by byte, in one word. */
export function historyHash(events: readonly HistoryEvent[]): string {
  const hash = createHash('sha256');
  for (const event of events) hash.update(encodeEvent(event)).update('\n');
  return hash.digest('hex');
}
