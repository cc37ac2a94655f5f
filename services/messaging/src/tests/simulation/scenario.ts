import { SimRandom } from './sim-random.ts';
import { type FaultName, faultSteps, operatorSteps } from './scenario-faults.ts';
import { calmSteps, changeSteps, postSteps, reseatSteps } from './scenario-steps.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const MIDNIGHT_MS = Date.UTC(2025, 1, 4);

export interface PodPlan {
  readonly name: string;
  readonly dispatcher: boolean;
  readonly consumer: boolean;
  readonly consumerName: string;
  readonly skewMs: number;
}

export interface ConversationPlan {
  readonly id: string;
  readonly owner: string;
  readonly members: readonly string[];
}

export interface ClientPlan {
  readonly id: string;
  readonly userId: string;
  readonly startMs: number;
  readonly withoutCursor: 'head' | 'start';
  readonly credit: number;
  readonly ackLateMs: number;
}

interface Timed {
  readonly atMs: number;
}
export type Step = Timed &
  (
    | { kind: 'post'; user: string; conversation: number; size: number; twice: boolean }
    | { kind: 'change'; change: 'add' | 'remove'; user: string; conversation: number; byOwner: boolean }
    | { kind: 'reseat'; client: number; conversation: number; back: number | 'head' | 'start' }
    | { kind: 'operate'; what: OperatorAct; conversation: number; from: number; span: number }
    | { kind: 'fault'; name: FaultName; target: number; forMs: number; rate: number }
  );
export type StepOf<Kind extends Step['kind']> = Extract<Step, { kind: Kind }>;
export type OperatorAct = 'replay' | 'requeue' | 'mark_dead' | 'prune' | 'insert';

/** All that happens in a run, as data: a seed's whole story. */
export interface Scenario {
  readonly seed: number;
  readonly wallMs: number;
  readonly durationMs: number;
  readonly byteWeight: number;
  readonly clientLatencyMs: number;
  readonly settings: ReturnType<typeof settingsOf>;
  readonly pods: readonly PodPlan[];
  readonly users: readonly string[];
  readonly conversations: readonly ConversationPlan[];
  readonly clients: readonly ClientPlan[];
  /** By time. */
  readonly steps: readonly Step[];
  /** What the operator does when all faults are over: now everybody concerned must see it. */
  readonly calmSteps: readonly StepOf<'operate'>[];
}

export function scenarioOf(seed: number): Scenario {
  const random = new SimRandom(seed);
  // A few are long enough for the patience of the hub: a minute without an acknowledgement.
  const durationMs = (random.chance(0.01) ? 80 : random.integer(3, 10)) * SECOND;
  const users = Array.from({ length: random.integer(2, 6) }, (_, n) => `user-${n + 1}`);
  const conversations = conversationsOf(random, users);
  const clients = clientsOf(random, users);
  const pods = podsOf(random);
  const size = { pods: pods.length, clients: clients.length, conversations: conversations.length };
  const steps = [
    ...postSteps(random, { users, conversations, durationMs }),
    ...changeSteps(random, { users, conversations, durationMs }),
    ...reseatSteps(random, { ...size, durationMs }),
    ...operatorSteps(random, { ...size, durationMs }),
    ...faultSteps(random, { ...size, durationMs }),
  ].sort((a, b) => a.atMs - b.atMs);
  return {
    seed,
    // Half of the runs go over a midnight.
    wallMs:
      MIDNIGHT_MS - (random.chance(0.5) ? random.integer(0, durationMs) : random.integer(1, 600) * MINUTE),
    durationMs,
    byteWeight: random.pick([1, 1, 200, 3000]),
    clientLatencyMs: random.pick([1, 5, 40, 200]),
    settings: settingsOf(random),
    pods,
    users,
    conversations,
    clients,
    steps,
    calmSteps: random.chance(0.25) ? calmSteps(random, conversations.length) : [],
  };
}

function settingsOf(random: SimRandom) {
  return {
    tickMs: random.pick([100, 250, 500, 1000]),
    batchSize: random.pick([1, 3, 10, 100]),
    maxAttempts: random.integer(2, 4),
    partitions: random.pick([1, 1, 1, 3]),
    streamMaxLength: random.pick([5, 30, 1000, 1000]),
    consumerBatch: random.pick([1, 5, 50]),
    blockMs: random.pick([500, 2000]),
    claimIdleMs: random.pick([1000, 3000, 5000]),
    heartbeatMs: random.pick([3, 6, 10]) * SECOND,
    tokenLifeMs: random.pick([7 * SECOND, 60 * MINUTE, 60 * MINUTE]),
  };
}

function podsOf(random: SimRandom): PodPlan[] {
  const count = random.integer(1, 4);
  const shareOneName = random.chance(0.1);
  return Array.from({ length: count }, (_, n) => ({
    name: `pod-${n + 1}`,
    // The first one mostly has the whole fast path; in some runs it is off everywhere until the faults end.
    dispatcher: random.chance(n === 0 ? 0.9 : 0.6),
    consumer: random.chance(n === 0 ? 0.9 : 0.6),
    consumerName: shareOneName ? 'consumer' : `consumer-${n + 1}`,
    skewMs: random.chance(0.3) ? random.integer(-60 * SECOND, 60 * SECOND) : 0,
  }));
}

function conversationsOf(random: SimRandom, users: readonly string[]): ConversationPlan[] {
  const count = random.chance(0.1) ? random.integer(10, 40) : random.integer(3, 8);
  return Array.from({ length: count }, () => {
    const owner = random.pick(users);
    return {
      id: random.uuid(),
      owner,
      members: users.filter((user) => user !== owner && random.chance(0.6)),
    };
  });
}

function clientsOf(random: SimRandom, users: readonly string[]): ClientPlan[] {
  return users.flatMap((userId) =>
    Array.from({ length: random.pick([1, 1, 2, 3]) }, (_, n) => ({
      id: `${userId}/${n + 1}`,
      userId,
      startMs: random.chance(0.7) ? random.integer(0, 300) : random.integer(300, 6 * SECOND),
      withoutCursor: random.pick(['head', 'start'] as const),
      credit: random.pick([1, 3, 16, 256, 256]),
      ackLateMs: random.pick([0, 0, 0, 700]),
    })),
  );
}
