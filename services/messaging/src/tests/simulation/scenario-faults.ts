import type { OperatorAct, Step } from './scenario.ts';
import type { SimRandom } from './sim-random.ts';

/** How often each fault is drawn, against the others. */
const FAULTS = {
  // Pods. crash: its peers hear of it; vanish: they do not.
  crash: 3,
  vanish: 2,
  pause: 3,
  drain: 2,
  clock_jump: 1,
  // Redis
  bus_lossy: 6,
  redis_down: 2,
  redis_flush: 2,
  redis_failover: 1,
  redis_connections: 2,
  redis_trim: 1,
  redis_group_lost: 1,
  redis_full: 1,
  redis_malformed: 1,
  redis_cut: 2,
  // Postgres
  postgres_down: 2,
  postgres_slow: 2,
  postgres_cut: 2,
  replies_lost: 2,
  counter_held: 1,
  server_clock_jump: 1,
  restore: 1,
  // Rows: Redis refuses it; Redis' connection breaks at it.
  poison: 2,
  breaker: 2,
  // Clients
  client_cut: 3,
  client_half_open: 2,
  client_stops_reading: 2,
  client_mute: 1,
  client_slow: 1,
} as const;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];

/** Runs of more than this wait for the longest patience, too. */
const LONG_MS = 60_000;

interface Size {
  readonly pods: number;
  readonly clients: number;
  readonly conversations: number;
  readonly durationMs: number;
}

export function faultSteps(random: SimRandom, { durationMs, ...size }: Size): Step[] {
  const count = random.chance(0.08) ? 0 : random.integer(1, 9);
  let restores = 0;
  return Array.from({ length: count }, (): Step => {
    let name = random.weighted(FAULTS);
    // One is enough for a short life.
    if (name === 'restore' && restores++ > 0) name = 'crash';
    const atMs = random.integer(0, durationMs - 500);
    // The bus lies for long enough that hints of all kinds get lost.
    const leastMs = name === 'bus_lossy' ? 2.7 : 1.5;
    const isLong = durationMs > LONG_MS && name.startsWith('client') && random.chance(0.7);
    const forMs = isLong
      ? durationMs - atMs
      : Math.min(durationMs - atMs, Math.round(10 ** (leastMs + (4 - leastMs) * random.next())));
    return { kind: 'fault', atMs, name, target: random.integer(0, 1000), forMs, rate: random.next() };
  }).filter((step) => step.kind !== 'fault' || !step.name.startsWith('client') || size.clients > 0);
}

export function operatorSteps(random: SimRandom, { conversations, durationMs }: Size): Step[] {
  const weights: Record<OperatorAct, number> = { replay: 4, requeue: 3, mark_dead: 2, prune: 2, insert: 2 };
  return Array.from({ length: random.integer(0, 5) }, () => ({
    kind: 'operate',
    atMs: random.integer(500, durationMs),
    what: random.weighted(weights),
    conversation: random.integer(0, conversations - 1),
    from: random.next(),
    span: random.pick([1, 1, 3, 100]),
  }));
}
