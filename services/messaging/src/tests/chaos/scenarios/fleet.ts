import { fileURLToPath } from 'node:url';
import type { ChaosPod, PodPlan } from '../chaos-pod.ts';
import { type ChaosWorld, GROUP, STREAM } from '../chaos-world.ts';
import { endOfDrain } from '../end-of-drain.ts';
import { lasting, promised, type Promised, proven, type Scenario } from '../scenario.ts';
import { eventually } from '../../support/eventually.ts';
import { scrape } from '../../support/scrape.ts';

const READY_WITHIN_MS = 30_000;
const SHARED_MS = 8000;
/** The namesake that lives is done with what it reads long before. */
const HELD_MS = 1000;
const SHIFTED_MS = 8000;
const CLOCK_SHIFT_MS = 10 * 60 * 1000;
const SHIFTED_CLOCK = fileURLToPath(new URL('../shifted-clock.mjs', import.meta.url));
/** As in production; each of thousands of clients would hear one every two seconds otherwise. */
const HEARTBEAT_MS = 10_000;
/** The service's own default: thousands of clients move within it. */
const SHUTDOWN_GRACE_MS = 25_000;

const FULL = { dispatcher: true, consumer: true } as const;

const rollingRestart: Scenario = {
  name: 'rolling-restart-2000',
  about: 'SIGTERM of every pod, one after the other, each started again, with 2,000 clients connected',
  heartbeatMs: HEARTBEAT_MS,
  env: { SHUTDOWN_GRACE_MS: String(SHUTDOWN_GRACE_MS) },
  load: { conversations: 100, members: 10, devicesPerMember: 2, publishers: 20, paceMs: 1000 },
  fault: async (world) => {
    const { devices } = world.load;
    const proof = [
      proven(
        `${devices.length} clients connected`,
        devices.every(({ isReady }) => isReady),
      ),
    ];
    const promises: Promised[] = [];
    for (const pod of world.pods) {
      const ended = pod.process;
      await ended.stop();
      promises.push(await endOfDrain(pod.name, ended), await backAgain(pod));
      const wasAsked = ended.logs.some(({ event }) => event === 'signal_received');
      proof.push(proven(`${pod.name} was asked to end`, wasAsked));
    }
    return { proof, promises };
  },
};

async function backAgain(pod: ChaosPod): Promise<Promised> {
  const isBack = await pod
    .start()
    .then(() =>
      eventually(async () => {
        if (!(await pod.answers())) throw new Error('not yet');
      }, READY_WITHIN_MS),
    )
    .then(
      () => true,
      () => false,
    );
  return promised(`${pod.name} is back`, isBack);
}

const reconnects: Scenario = {
  name: 'reconnect-5000',
  about: '5,000 clients lose their connections at the same moment, and all come back',
  heartbeatMs: HEARTBEAT_MS,
  pastProxies: true,
  load: { conversations: 250, members: 10, devicesPerMember: 2, publishers: 10, paceMs: 1000 },
  fault: async ({ load: { devices } }) => {
    const connected = devices.filter(({ isReady }) => isReady).length;
    for (const device of devices) device.cut();
    const left = devices.filter(({ isReady }) => isReady).length;
    return {
      proof: [proven(`${connected} clients connected, then ${left}`, connected === 5000 && left === 0)],
    };
  },
};

const NAMESAKE = { CONSUMER_NAME: 'namesake' };

const oneName: Scenario = {
  name: 'two-pods-one-consumer-name',
  about: `two pods read the group under one CONSUMER_NAME; one of them is killed with what it had read`,
  pods: [
    { name: 'first', ...FULL, env: NAMESAKE },
    { name: 'second', ...FULL, env: NAMESAKE },
  ],
  fault: async (world) => {
    const fetched = async (pod: ChaosPod) =>
      (await scrape(pod.process.httpUrl)).get('messaging_consumer_fetch_total') ?? 0;
    const before = await Promise.all(world.pods.map(fetched));
    await lasting(SHARED_MS);
    const after = await Promise.all(world.pods.map(fetched));
    const names = await world.withRedis((redis) => redis.xinfo('CONSUMERS', STREAM, GROUP));
    const first = world.pod('first');
    const held = await heldBy(world, first);
    await first.process.kill('SIGKILL');
    return {
      proof: [
        proven('the group knows one consumer', (names as unknown[]).length === 1),
        proven(
          'both pods read entries',
          after.every((count, i) => count > before[i]!),
        ),
        proven(`one was killed with ${held} entries read and not acknowledged`, held > 0 && !first.isAlive),
      ],
      afterwards: () => first.start(),
    };
  },
};

/** Stops the pod while it waits for entries: those that it is handed then are its own, whatever its name. */
async function heldBy(world: ChaosWorld, pod: ChaosPod): Promise<number> {
  pod.process.process.kill('SIGSTOP');
  return world.withRedis((redis) =>
    eventually(async () => {
      const held = await redis.xpending(STREAM, GROUP, 'IDLE', HELD_MS, '-', '+', 1000);
      if (held.length === 0) throw new Error('it was handed nothing yet');
      return held.length;
    }),
  );
}

function shifted(name: string, shiftMs: number): Scenario {
  const way = shiftMs > 0 ? 'ahead' : 'behind';
  const odd: PodPlan = {
    name: 'odd',
    ...FULL,
    env: { NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`, CLOCK_SHIFT_MS: String(shiftMs) },
  };
  return {
    name,
    about: `the clock of one pod of two is ${Math.abs(shiftMs) / 60_000} minutes ${way}; then it is killed`,
    pods: [{ name: 'right', ...FULL }, odd],
    fault: async (world) => {
      await lasting(SHIFTED_MS);
      const pod = world.pod('odd');
      const saysMs = Date.parse(String((await pod.process.logged('consumer_progress'))['time']));
      const offMs = saysMs - Date.now();
      const served = (await scrape(pod.process.httpUrl)).get('messaging_consumer_fetch_total') ?? 0;
      await pod.process.kill('SIGKILL');
      return {
        proof: [
          proven(`its log was ${Math.round(offMs / 60_000)} minutes off`, Math.abs(offMs - shiftMs) < 60_000),
          proven(`it had read ${served} entries`, served > 0),
        ],
        afterwards: () => pod.start(),
      };
    },
  };
}

export const FLEET_SCENARIOS: readonly Scenario[] = [
  rollingRestart,
  reconnects,
  oneName,
  shifted('clock-ahead', CLOCK_SHIFT_MS),
  shifted('clock-behind', -CLOCK_SHIFT_MS),
];
