import { MemoryBus } from '../../adapters/memory/memory-bus.ts';
import { MemoryLog } from '../../adapters/memory/memory-log.ts';
import { MemoryRedis } from '../../adapters/memory/memory-redis.ts';
import { silentLog } from '../../log.ts';
import type { AppendRequest, BusMessage, BusPublisher, IntakeLog } from '../../ports.ts';
import type { CheckName } from '../history/check-history.ts';
import { StampedHistory } from '../history/history-writer.ts';
import type { History, HistoryEvent } from '../history/history.ts';
import type { Bends } from './bends.ts';
import type { PodPlan, Scenario, StepOf } from './scenario.ts';
import { SimClient } from './sim-client.ts';
import { SimClock } from './sim-clock.ts';
import type { PostgresState } from './sim-link.ts';
import { SimPod } from './sim-pod.ts';
import type { SimProcess } from './sim-process.ts';
import { SimRandom } from './sim-random.ts';
import { PAYLOAD_LIMIT_BYTES } from './sim-stages.ts';
import { SimUsers } from './sim-users.ts';
import { SimWatch } from './sim-watch.ts';

/** After this a caller gives an HTTP request up. */
const REQUEST_PATIENCE_MS = 8000;
const REDIS_LATENCY_MS = 0.8;

/** What the bus does to messages at present; rates are probabilities. */
export interface BusWeather {
  lossRate: number;
  repeatRate: number;
  lateRate: number;
  lateMs: number;
}

/** What breaks a rule, and no history shows. */
export type Complaint =
  | 'acknowledged_early'
  | 'client_fault'
  | 'closed_for_good'
  | 'answered_internal'
  | 'slow_path'
  | 'unsettled'
  | 'simulation';

/** Something that may not be, by the check that saw it. */
export interface Failure {
  readonly check: CheckName | Complaint;
  readonly text: string;
}

/** A place in the deployment, and the pod that lives there now. */
export interface PodSlot {
  readonly plan: PodPlan;
  pod: SimPod | undefined;
}

/** Everything there is in a run: one log, one Redis, pods, users and their devices, on one clock. */
export class SimWorld {
  readonly scenario: Scenario;
  readonly random: SimRandom;
  readonly clock: SimClock;
  readonly log: MemoryLog;
  /** The log's port for intake, with each commit noted. */
  readonly intakeLog: IntakeLog;
  readonly redis: MemoryRedis;
  readonly bus: MemoryBus;
  readonly postgres: PostgresState = { up: true, slowness: 1, life: 1 };
  readonly busWeather: BusWeather = { lossRate: 0, repeatRate: 0, lateRate: 0, lateMs: 0 };
  /** Of tokens that are shown from now on. */
  tokenLifeMs: number;
  /** The faults are over, and everybody has everything. */
  isCalm = false;
  readonly slots: PodSlot[];
  readonly clients: SimClient[];
  readonly users: SimUsers;
  readonly events: HistoryEvent[] = [];
  readonly history: History;
  readonly watch: SimWatch;
  readonly complaints: Failure[] = [];
  /** A test's own, for every pod that starts from now on. */
  readonly bends: Bends[] = [];

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.tokenLifeMs = scenario.settings.tokenLifeMs;
    // Not the numbers that the scenario was drawn from.
    this.random = new SimRandom(scenario.seed ^ 0x5eed);
    const clock = new SimClock({ random: this.random.fork(), wallMs: scenario.wallMs });
    this.clock = clock;
    this.history = new StampedHistory((event) => this.events.push(event), {
      process: 'world',
      clock,
      seesCommits: true,
      seesExpiry: true,
    });
    this.watch = new SimWatch(this);
    this.log = new MemoryLog({ clock, payloadLimitBytes: PAYLOAD_LIMIT_BYTES });
    this.intakeLog = { append: (requests, options) => this.#append(requests, options) };
    const network = this.random.fork();
    const latencyMs = () => REDIS_LATENCY_MS * network.next();
    const { streamMaxLength: maxLength } = scenario.settings;
    this.redis = new MemoryRedis({ clock, log: silentLog, maxLength, latencyMs });
    this.bus = new MemoryBus({ clock, latencyMs });
    this.bus.loses = () => network.chance(this.busWeather.lossRate);
    this.bus.delaysMs = () => {
      const { lateRate, lateMs } = this.busWeather;
      return network.next() + (lateRate > 0 && network.chance(lateRate) ? lateMs * network.next() : 0);
    };
    this.slots = scenario.pods.map((plan) => ({ plan, pod: new SimPod(this, plan) }));
    this.users = new SimUsers(this);
    this.clients = scenario.clients.map((plan) => new SimClient(this, plan));
  }

  complain(check: Complaint, text: string): void {
    this.complaints.push({ check, text: `${text} (${Math.round(this.clock.monotonic())} ms)` });
  }

  clientLatencyMs(): number {
    return this.scenario.clientLatencyMs * (0.5 + this.random.next());
  }

  servingPods(): SimPod[] {
    return this.slots.flatMap(({ pod }) => (pod?.isServing === true ? [pod] : []));
  }

  pickPod(): SimPod | undefined {
    const pods = this.servingPods();
    return pods.length === 0 ? undefined : this.random.pick(pods);
  }

  /** A request over HTTP; undefined: no answer came, whatever became of it. */
  call<T>(pod: SimPod, work: () => Promise<T>): Promise<T | undefined> {
    return new Promise((resolve) => {
      const giveUp = () => {
        patience.cancel();
        resolve(undefined);
      };
      const patience = this.clock.setTimer(REQUEST_PATIENCE_MS, giveUp);
      this.clock.setTimer(this.clientLatencyMs(), () => {
        if (!pod.isServing) return giveUp();
        pod.process.onDeath(giveUp);
        pod.process.enter(() => {
          work().then((answer) => {
            this.clock.setTimer(this.clientLatencyMs(), () => {
              patience.cancel();
              resolve(answer);
            });
          }, giveUp);
        });
      });
    });
  }

  /** The same of any pod. */
  ask<T>(work: (pod: SimPod) => Promise<T>): Promise<T | undefined> {
    const pod = this.pickPod();
    return pod === undefined ? Promise.resolve(undefined) : this.call(pod, () => work(pod));
  }

  /** A device asks for a conversation from another place on. */
  reseat({ client, conversation, back }: StepOf<'reseat'>): void {
    const device = this.clients[client]!;
    const { id } = this.scenario.conversations[conversation]!;
    const cursor = device.book.cursorOf(id);
    if (cursor === undefined) return;
    const after = typeof back === 'number' ? Math.max(0, cursor - back) : back;
    device.reseat({ conversation_id: id, after });
  }

  /** A publisher whose messages go out once more now and then, as those of a consumer that died before its XACK. */
  repeating(publisher: BusPublisher, process: SimProcess): BusPublisher {
    return {
      publish: async (messages: readonly BusMessage[]) => {
        await publisher.publish(messages);
        if (this.busWeather.repeatRate === 0 || !this.random.chance(this.busWeather.repeatRate)) return;
        process.clock.setTimer(this.random.next() * 1000, () => {
          publisher.publish(messages).catch(() => {});
        });
      },
    };
  }

  noteCommit(conversationId: string, seq: number, messageId: string, epoch: number): void {
    this.history.append({ type: 'commit', conversationId, seq, messageId, epoch });
  }

  async #append(requests: readonly AppendRequest[], options: { readonly waitForLock: boolean }) {
    const outcomes = await this.log.intake.append(requests, options);
    outcomes.forEach((outcome, n) => {
      if (outcome.kind !== 'accepted') return;
      const { conversationId, messageId } = requests[n]!;
      this.noteCommit(conversationId, outcome.seq, messageId, outcome.epoch);
    });
    return outcomes;
  }
}
