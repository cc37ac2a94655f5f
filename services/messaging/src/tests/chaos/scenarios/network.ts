import { Redis } from 'ioredis';
import pg from 'pg';
import type { ChaosPod, PodLinks } from '../chaos-pod.ts';
import type { ChaosWorld } from '../chaos-world.ts';
import { lasting, proven, type Scenario } from '../scenario.ts';
import type { Directions, TcpProxy } from '../tcp-proxy.ts';

/** Longer than any timeout of those who use the link. */
const CUT_MS = 12_000;
const BAD_MS = 8000;
/** Each way; a command to Redis may take 1 s, and a pipeline or a transaction goes to and fro several times. */
const DELAY_MS = 100;
const THROTTLED_BYTES_PER_SECOND = 24_000;
/** Takes more than a second of a throttled link. */
const LARGE_BYTES = 32 * 1024;
const PATIENCE_MS = 3000;

type Hop = keyof PodLinks;

interface Probe {
  /** A small question through the link, by a connection of its own. Rejects where no answer comes. */
  readonly ask: (pod: ChaosPod, world: ChaosWorld) => Promise<unknown>;
  /** One whose answer has `LARGE_BYTES`. */
  readonly askForMuch: (pod: ChaosPod, world: ChaosWorld) => Promise<unknown>;
}

/** What a peer of the pod would see of the link. */
const PROBES: Readonly<Record<Hop, Probe>> = {
  postgres: {
    ask: (pod, world) => withPostgres(pod, world, 'SELECT 1'),
    askForMuch: (pod, world) => withPostgres(pod, world, `SELECT repeat('x', ${LARGE_BYTES})`),
  },
  redis: {
    ask: (pod) => withRedis(pod, (redis) => redis.ping()),
    askForMuch: (pod) => withRedis(pod, (redis) => redis.echo('x'.repeat(LARGE_BYTES))),
  },
  clients: {
    ask: (pod) => get(pod, '/healthz'),
    askForMuch: (pod) => get(pod, '/openapi.json'),
  },
};

const BETWEEN: Readonly<Record<Hop, string>> = {
  postgres: 'pods and Postgres',
  redis: 'pods and Redis',
  clients: 'clients and pods',
};

async function withPostgres(pod: ChaosPod, world: ChaosWorld, question: string): Promise<void> {
  const url = new URL(world.postgres.url);
  url.port = String(pod.links.postgres.port);
  const client = new pg.Client({
    connectionString: url.href,
    connectionTimeoutMillis: PATIENCE_MS,
    query_timeout: PATIENCE_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(question);
  } finally {
    // Its goodbye may not pass either.
    void client.end().catch(() => undefined);
  }
}

async function withRedis(pod: ChaosPod, ask: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis({
    host: '127.0.0.1',
    port: pod.links.redis.port,
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: PATIENCE_MS,
    commandTimeout: PATIENCE_MS,
    enableReadyCheck: false,
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    await ask(redis);
  } finally {
    redis.disconnect();
  }
}

async function get(pod: ChaosPod, path: string): Promise<void> {
  const answer = await fetch(`${pod.httpUrl}${path}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
  await answer.arrayBuffer();
}

async function tookMs(work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work;
  return performance.now() - startedAt;
}

/** All of them at once: the time of the quickest. */
async function quickest(answers: readonly Promise<unknown>[]): Promise<number> {
  return Math.min(...(await Promise.all(answers.map(tookMs))));
}

function answered(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

function delayed(hop: Hop): Scenario {
  return {
    name: `net-${hop}-delayed`,
    about: `${2 * DELAY_MS} ms more for each round trip between ${BETWEEN[hop]}, for ${BAD_MS / 1000} s`,
    fault: async (world) => {
      const links = world.pods.map((pod) => pod.links[hop]);
      for (const link of links) link.delay('both', DELAY_MS);
      const ms = await quickest(world.pods.map((pod) => PROBES[hop].ask(pod, world)));
      await lasting(BAD_MS);
      for (const link of links) link.heal();
      return { proof: [proven(`by every pod an answer took ${Math.round(ms)} ms`, ms >= 2 * DELAY_MS)] };
    },
  };
}

function throttled(hop: Hop): Scenario {
  return {
    name: `net-${hop}-throttled`,
    about: `${THROTTLED_BYTES_PER_SECOND / 1000} kB/s for each connection between ${BETWEEN[hop]}, for ${BAD_MS / 1000} s`,
    fault: async (world) => {
      const links = world.pods.map((pod) => pod.links[hop]);
      for (const link of links) link.throttle('both', THROTTLED_BYTES_PER_SECOND);
      const ms = await quickest(world.pods.map((pod) => PROBES[hop].askForMuch(pod, world)));
      await lasting(BAD_MS);
      for (const link of links) link.heal();
      return { proof: [proven(`by every pod a large answer took ${Math.round(ms)} ms`, ms >= 1000)] };
    },
  };
}

/** `directions`: which bytes wait; `up` is what a pod, or a client, asks, `down` what it is answered. */
function cut(hop: Hop, directions: Directions): Scenario {
  const what = { up: 'questions', down: 'answers', both: 'everything' }[directions];
  return {
    name: `net-${hop}-cut-${directions}`,
    about: `${what} between ${BETWEEN[hop]} lost for ${CUT_MS / 1000} s, for one pod`,
    fault: async (world) => {
      const pod = world.pod('full');
      const link = pod.links[hop];
      link.hold(directions);
      await lasting(100);
      const before = { ...link.passedBytes };
      const wasAnswered = await answered(PROBES[hop].ask(pod, world));
      await lasting(CUT_MS);
      const after = { ...link.passedBytes };
      link.heal();
      return {
        proof: [
          proven('a question through it had no answer', !wasAnswered),
          ...heldBytes(directions, before, after),
        ],
      };
    },
  };
}

function heldBytes(
  directions: Directions,
  before: TcpProxy['passedBytes'],
  after: TcpProxy['passedBytes'],
): string[] {
  const held = directions === 'both' ? (['up', 'down'] as const) : [directions];
  return held.map((way) => proven(`no byte went ${way}`, before[way] === after[way]));
}

export const NETWORK_SCENARIOS: readonly Scenario[] = [
  ...(['postgres', 'redis', 'clients'] as const).flatMap((hop) => [
    delayed(hop),
    throttled(hop),
    cut(hop, 'both'),
  ]),
  // One way: what was asked is done, and nobody hears of it; or what is sent never arrives.
  cut('postgres', 'down'),
  cut('redis', 'down'),
  cut('redis', 'up'),
  cut('clients', 'up'),
];
