import type { MemoryLogSnapshot } from '../../adapters/memory/memory-log.ts';
import { Sealed } from '../../sealed.ts';
import type { FaultName } from './scenario-faults.ts';
import type { StepOf } from './scenario.ts';
import type { SimClient } from './sim-client.ts';
import type { SimOperator } from './sim-operator.ts';
import { SimPod } from './sim-pod.ts';
import type { PodSlot, SimWorld } from './sim-world.ts';
import { GROUP } from './sim-stages.ts';
import { SpoiltRows } from './spoilt-rows.ts';

const HOUR_MS = 60 * 60 * 1000;

/** Whom and what a fault strikes. */
interface Strike {
  /** In [0, 1): how hard. */
  readonly rate: number;
  readonly slot: PodSlot;
  /** undefined: it is down already. */
  readonly pod: SimPod | undefined;
  readonly client: SimClient;
  readonly conversationId: string;
}

/** Brings a fault about; what it returns undoes it. */
type Cause = (on: Strike) => (() => void) | undefined | void;

/** Brings faults about, and undoes them. */
export class SimNemesis {
  readonly #world: SimWorld;
  readonly #operator: SimOperator;
  readonly #poisoned = new SpoiltRows();
  readonly #breakers = new SpoiltRows();
  #backup: MemoryLogSnapshot;
  #isRestoring = false;

  constructor(world: SimWorld, operator: SimOperator) {
    this.#world = world;
    this.#operator = operator;
    this.#backup = operator.backup();
    const { redis } = world;
    redis.refuses = (entry) => {
      if (this.#poisoned.meets(entry.message)) return 'REFUSED';
      world.watch.entry(entry);
      return undefined;
    };
    redis.breaksOn = ({ message }) => this.#breakers.meets(message);
  }

  /** Which kinds of rows that Redis cannot take it has met. */
  get spoilt(): string[] {
    return [
      ...(this.#poisoned.hasMet ? ['poison row'] : []),
      ...(this.#breakers.hasMet ? ['breaker row'] : []),
    ];
  }

  /** What a restore goes back to. */
  backUp(): void {
    this.#backup = this.#operator.backup();
  }

  strike({ name, target, forMs, rate }: StepOf<'fault'>): void {
    const { history, clock, slots, clients, scenario } = this.#world;
    const slot = slots[target % slots.length]!;
    const client = clients[target % clients.length]!;
    const { id: conversationId } = scenario.conversations[target % scenario.conversations.length]!;
    history.append({ type: 'fault', phase: 'begin', name });
    const undo = this.#causes[name]({ rate, slot, pod: slot.pod, client, conversationId });
    clock.setTimer(forMs, () => {
      undo?.();
      history.append({ type: 'fault', phase: 'end', name });
    });
  }

  /** All is well again, and every pod is there; at least one has the whole fast path. */
  heal(): void {
    const world = this.#world;
    Object.assign(world.postgres, { up: true, slowness: 1 });
    world.tokenLifeMs = HOUR_MS;
    this.#calmBus();
    world.redis.condition = undefined;
    world.redis.comeUp();
    world.bus.comeUp();
    if (!world.slots.some(({ plan }) => plan.dispatcher && plan.consumer)) {
      const plan = { name: 'pod-late', dispatcher: true, consumer: true, consumerName: 'late', skewMs: 0 };
      world.slots.push({ plan, pod: undefined });
    }
    for (const slot of world.slots) {
      const pod = this.#start(slot);
      pod?.process.resume();
      pod?.mendRedis();
      if (pod !== undefined) Object.assign(pod.postgres, { cut: false, lossRate: 0 });
    }
    for (const client of world.clients) client.behave();
  }

  readonly #causes: Readonly<Record<FaultName, Cause>> = {
    crash: ({ slot }) => this.#crash(slot, { heard: true }),
    vanish: ({ slot }) => this.#crash(slot, { heard: false }),
    pause: ({ pod }) => {
      pod?.process.pause();
      return () => pod?.process.resume();
    },
    drain: ({ slot, pod }) => {
      pod?.drain().then(
        () => this.#start(slot),
        (error: unknown) => this.#world.complain('simulation', `drain: ${String(error)}`),
      );
    },
    clock_jump: ({ pod, rate }) => pod?.process.jump(Math.round((rate - 0.5) * 240_000)),
    server_clock_jump: ({ rate }) => this.#world.clock.jump(Math.round((rate - 0.3) * 60_000)),

    bus_lossy: ({ rate }) => {
      const lossRate = rate > 0.7 ? 1 : rate;
      const weather = { lossRate, repeatRate: rate / 2, lateRate: 1 - rate, lateMs: 2000 * rate ** 2 };
      Object.assign(this.#world.busWeather, weather);
      return () => this.#calmBus();
    },
    redis_down: () => this.#redisDown({ losesAll: false }),
    redis_failover: () => this.#redisDown({ losesAll: true }),
    redis_connections: () => {
      const { redis, bus } = this.#world;
      if (!redis.up) return;
      redis.loseConnections();
      bus.loseConnections();
    },
    redis_flush: () => this.#world.redis.flushAll(),
    redis_trim: ({ rate }) => this.#world.redis.trim(0, Math.floor(rate * 3)),
    redis_group_lost: () => this.#world.redis.destroyGroup(GROUP),
    redis_full: () => {
      this.#world.redis.condition = 'OOM';
      return () => (this.#world.redis.condition = undefined);
    },
    redis_malformed: () => {
      this.#world.redis.addMalformed(0, { reason: 'no_payload', fields: new Sealed('{}') });
    },
    redis_cut: ({ pod }) => {
      pod?.cutRedis();
      return () => pod?.mendRedis();
    },

    postgres_down: () => this.#postgresDown(),
    postgres_slow: ({ rate }) => {
      this.#world.postgres.slowness = 1 + rate * 400;
      return () => (this.#world.postgres.slowness = 1);
    },
    postgres_cut: ({ pod }) => {
      if (pod === undefined) return undefined;
      pod.postgres.cut = true;
      return () => (pod.postgres.cut = false);
    },
    replies_lost: ({ pod, rate }) => {
      if (pod === undefined) return undefined;
      pod.postgres.lossRate = 0.1 + rate / 2;
      return () => (pod.postgres.lossRate = 0);
    },
    counter_held: ({ conversationId }) => this.#world.log.holdCounter(conversationId),
    restore: ({ rate }) => this.#restore({ live: rate < 0.3 }),
    poison: ({ conversationId }) => this.#poisoned.await(conversationId),
    breaker: ({ conversationId }) => this.#breakers.await(conversationId),

    client_cut: ({ client }) => client.loseConnection({ serverHears: true }),
    client_half_open: ({ client }) => client.loseConnection({ serverHears: false }),
    client_stops_reading: ({ client }) => {
      client.stopReading();
      return () => client.behave();
    },
    client_mute: ({ client }) => {
      client.isMute = true;
      return () => client.behave();
    },
    client_slow: ({ client, rate }) => {
      client.ackLateMs = rate * 5000;
      return () => client.behave();
    },
  };

  #calmBus(): void {
    Object.assign(this.#world.busWeather, { lossRate: 0, repeatRate: 0, lateRate: 0, lateMs: 0 });
  }

  #crash(slot: PodSlot, options: { readonly heard: boolean }): () => void {
    slot.pod?.crash(options);
    slot.pod = undefined;
    return () => this.#start(slot);
  }

  #redisDown({ losesAll }: { readonly losesAll: boolean }): () => void {
    const { redis, bus } = this.#world;
    redis.goDown();
    bus.goDown();
    return () => {
      if (losesAll) redis.loseMemory();
      redis.comeUp();
      bus.comeUp();
    };
  }

  #postgresDown(): () => void {
    const { postgres } = this.#world;
    postgres.up = false;
    postgres.life += 1;
    return () => {
      if (!this.#isRestoring) postgres.up = true;
    };
  }

  /**
   * Every pod is stopped; the log goes back to the backup, under a new epoch; then they start. `live`: a failover
   * that loses commits; the pods are there, and cannot reach Postgres before the epoch is raised.
   */
  #restore({ live }: { readonly live: boolean }): () => void {
    const { slots, postgres } = this.#world;
    this.#isRestoring = true;
    if (!live) for (const slot of slots) this.#crash(slot, { heard: true });
    this.#postgresDown();
    return () => {
      this.#operator.restore(this.#backup);
      postgres.up = true;
      this.#isRestoring = false;
      for (const slot of slots) this.#start(slot);
    };
  }

  /** The pod of a place, begun where there is none and none is forbidden. */
  #start(slot: PodSlot): SimPod | undefined {
    const isGone = slot.pod === undefined || slot.pod.process.state === 'dead';
    if (isGone && !this.#isRestoring) slot.pod = new SimPod(this.#world, slot.plan);
    return slot.pod;
  }
}
