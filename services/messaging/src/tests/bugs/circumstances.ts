import type { FaultName } from '../simulation/scenario-faults.ts';
import type { OperatorAct, Scenario, Step } from '../simulation/scenario.ts';
import { replaced } from '../support/fault-points.ts';
import type { SimWorld } from '../simulation/sim-world.ts';
import type { Circumstances } from './bug.ts';

/** The second group is a slow one, and has read everything before a run is over all the same. */
const SECOND_GROUP_EVERY_MS = 1000;

/** Of a seed's story: these faults and these acts of the operator alone, beside posts, changes and new seats. */
export function only(
  kept: { readonly faults?: readonly FaultName[]; readonly acts?: readonly OperatorAct[] } = {},
): (scenario: Scenario) => Scenario {
  const { faults = [], acts = [] } = kept;
  const isKept = (step: Step) => {
    if (step.kind === 'fault') return faults.includes(step.name);
    return step.kind !== 'operate' || acts.includes(step.what);
  };
  return (scenario) => ({
    ...scenario,
    settings: { ...scenario.settings, streamMaxLength: 1000 },
    pods: scenario.pods.map((pod, n) => (n === 0 ? { ...pod, dispatcher: true, consumer: true } : pod)),
    steps: scenario.steps.filter(isKept),
    calmSteps: [],
  });
}

/** The same with steps added. */
export function withSteps(
  adapt: (scenario: Scenario) => Scenario,
  steps: (scenario: Scenario) => readonly Step[],
): (scenario: Scenario) => Scenario {
  return (given) => {
    const scenario = adapt(given);
    const all = [...scenario.steps, ...steps(scenario)];
    return { ...scenario, steps: all.sort((a, b) => a.atMs - b.atMs) };
  };
}

/** In each conversation a member is put out while no news come by the bus, and the owner goes on posting. */
export const removedUnheard: Circumstances = {
  adapt: withSteps(only(), ({ durationMs, conversations }) => {
    const atMs = durationMs / 3;
    const silence: Step = { kind: 'fault', atMs, name: 'bus_lossy', target: 0, forMs: durationMs, rate: 0.8 };
    const removals = conversations.flatMap(({ owner, members }, conversation): Step[] => {
      const [user] = members;
      if (user === undefined) return [];
      const post = { kind: 'post', user: owner, conversation, size: 10, twice: false } as const;
      return [
        { kind: 'change', atMs: atMs + 10, change: 'remove', user, conversation, byOwner: true },
        ...[700, 1000].map((afterMs) => ({ ...post, atMs: atMs + afterMs })),
      ];
    });
    return [silence, ...removals];
  }),
};

/**
 * Nothing fails, and the hub does not compare heads: what the bus does not bring, or a feed does not see, stays lost.
 * In a run of the product the slow path would heal it before a client could notice.
 */
export const slowPathOff: Circumstances = {
  adapt: only(),
  meddle: (world) =>
    world.bends.push({
      stages: (stages) => {
        stages.hub.feeds.headSeen = () => {};
        return stages;
      },
    }),
};

/**
 * A second group reads the stream, and the history says what it read, not what was put there: its order and its
 * completeness are judged.
 */
export function readAsSecondGroup(world: SimWorld): void {
  const { watch, redis, clock, scenario } = world;
  const note = watch.entry.bind(watch);
  watch.entry = () => {};
  const { partitions } = scenario.settings;
  const reader = redis.reader({
    group: 'second',
    consumer: 'one',
    partitions,
    batchSize: 100,
    blockMs: 500,
    claimIdleMs: 1000,
  });
  const { signal } = new AbortController();
  const read = async () => {
    for (;;) {
      try {
        const entries = await reader.readNew(signal);
        for (const { content } of entries) if (content !== undefined) note(content);
        await reader.acknowledge(entries);
      } catch {
        // Redis is away: it is asked again.
      }
      await clock.sleep(SECOND_GROUP_EVERY_MS);
    }
  };
  void read();
}

/** An operator has every message sent again once, while its dispatcher has put it on the stream and not marked it. */
export function replayedOnTheWay(world: SimWorld): void {
  world.bends.push({
    dispatchLog: (log) =>
      replaced(log, {
        dispatchBuckets: (buckets, options, publish) =>
          log.dispatchBuckets(buckets, options, async (rows, epoch) => {
            const verdicts = await publish(rows, epoch);
            rows.forEach(({ message }, n) => {
              if (verdicts[n]?.kind !== 'sent' || message === undefined || message.replayNo > 0) return;
              world.log.replay(message.conversationId, message.seq, message.seq);
            });
            return verdicts;
          }),
      }),
  });
}
