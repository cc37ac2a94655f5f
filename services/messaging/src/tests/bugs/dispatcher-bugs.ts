import type { DispatchLog, OutboxRow, Verdict } from '../../ports.ts';
import type { Scenario, Step } from '../simulation/scenario.ts';
import type { SimWorld } from '../simulation/sim-world.ts';
import { replaced } from '../support/fault-points.ts';
import type { SimulatedBug } from './bug.ts';
import { only, readAsSecondGroup, replayedOnTheWay } from './circumstances.ts';

type Publish = Parameters<DispatchLog['dispatchBuckets']>[2];

export const DISPATCHER_BUGS: readonly SimulatedBug[] = [
  {
    name: 'unordered-claim',
    what: 'a dispatcher claims rows without an order',
    where: 'simulation',
    caughtBy: 'stream_order',
    apply: (world) =>
      bendPublish(world, async (publish, rows, epoch) => {
        const verdicts = await publish(rows.toReversed(), epoch);
        return verdicts.toReversed();
      }),
  },
  {
    name: 'overtaken-retry',
    what: 'a row that failed is parked alone, and its successors go out before it',
    where: 'simulation',
    caughtBy: 'stream_order',
    circumstances: { adapt: only({ faults: ['poison'] }) },
    apply: (world) =>
      bendPublish(world, async (publish, rows, epoch) => {
        const verdicts = [...(await publish(rows, epoch))];
        const behind = rows.filter(
          (row, n) => verdicts[n]?.kind === 'untouched' && row.message !== undefined,
        );
        if (behind.length === rows.length || behind.length === 0) return verdicts;
        const later = await publish(behind, epoch);
        behind.forEach((row, n) => (verdicts[rows.indexOf(row)] = later[n]!));
        return verdicts;
      }),
  },
  {
    name: 'marked-unsent',
    what: 'a row is marked as sent though Redis did not take it',
    where: 'simulation',
    caughtBy: 'stream_loss',
    circumstances: { adapt: only({ faults: ['redis_down', 'redis_full', 'redis_cut'] }) },
    apply: (world) =>
      bendPublish(world, async (publish, rows, epoch) => {
        const verdicts = await publish(rows, epoch);
        return verdicts.map((verdict): Verdict =>
          verdict.kind === 'untouched' ? { kind: 'sent' } : verdict,
        );
      }),
  },
  {
    name: 'mark-without-replay-no',
    what: "the mark 'sent' does not look at replay_no, and overwrites an operator's UPDATE that came between",
    where: 'simulation',
    caughtBy: 'stream_loss',
    circumstances: { adapt: only(), meddle: replayedOnTheWay },
    apply: (world) => world.bends.push({ dispatchLog: markedAgain }),
  },
  {
    name: 'no-resend',
    what: 'dispatchers send nothing again after Redis lost what it had acknowledged',
    where: 'simulation',
    caughtBy: 'stream_loss',
    circumstances: { adapt: (scenario) => oneFailover(only()(scenario)), meddle: readAsSecondGroup },
    apply: (world) => world.bends.push({ writer: (writer) => replaced(writer, { onConnected: () => {} }) }),
  },
  {
    name: 'lost-wake-up',
    what: 'a wake-up that the bus lost is made good by no tick',
    where: 'simulation',
    caughtBy: 'undispatched',
    consequences: ['unsettled'],
    circumstances: { adapt: only({ faults: ['bus_lossy', 'crash', 'vanish'] }) },
    apply: (world) =>
      world.bends.push({
        dispatchLog: (log) => replaced(log, { pendingBuckets: () => Promise.resolve([]) }),
      }),
  },
];

function bendPublish(
  world: SimWorld,
  bend: (publish: Publish, rows: readonly OutboxRow[], epoch: number) => ReturnType<Publish>,
): void {
  world.bends.push({
    dispatchLog: (log) =>
      replaced(log, {
        dispatchBuckets: (buckets, options, publish) =>
          log.dispatchBuckets(buckets, options, (rows, epoch) => bend(publish, rows, epoch)),
      }),
  });
}

/** What was just put on the stream is marked, whatever became of it since. */
function markedAgain(log: DispatchLog): DispatchLog {
  return replaced(log, {
    async dispatchBuckets(buckets, options, publish) {
      const sent = new Set<string>();
      const round = await log.dispatchBuckets(buckets, options, async (rows, epoch) => {
        const verdicts = await publish(rows, epoch);
        rows.forEach(({ id }, n) => verdicts[n]?.kind === 'sent' && sent.add(id));
        return verdicts;
      });
      await log.dispatchBuckets(buckets, options, (rows) =>
        Promise.resolve(rows.map(({ id }): Verdict => ({ kind: sent.has(id) ? 'sent' : 'untouched' }))),
      );
      return round;
    },
  });
}

/** Redis fails over in the middle of the run, and loses everything. */
function oneFailover(scenario: Scenario): Scenario {
  const atMs = scenario.durationMs / 2;
  const failover: Step = { kind: 'fault', atMs, name: 'redis_failover', target: 0, forMs: 500, rate: 0 };
  return { ...scenario, steps: [...scenario.steps, failover].sort((a, b) => a.atMs - b.atMs) };
}
