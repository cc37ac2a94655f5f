import { readHistory } from '../../adapters/http/history.ts';
import type { Intake } from '../../intake/intake.ts';
import { silentLog } from '../../log.ts';
import type { ReaderLog } from '../../ports.ts';
import { Epochs } from '../../realtime/epochs.ts';
import type { Hub } from '../../realtime/hub.ts';
import { bent } from './bends.ts';
import type { PodPlan } from './scenario.ts';
import { PostgresLink } from './sim-link.ts';
import { SimProcess } from './sim-process.ts';
import type { SimSocket } from './sim-socket.ts';
import { composeStages, metrics, podConnections, type PodConnections, type Stages } from './sim-stages.ts';
import type { SimWorld } from './sim-world.ts';

const START_RETRY_MS = 300;
const DRAIN_MS = 2000;

/** One life of a pod: the real stages, composed as server.ts does it, over the world's log, stream and bus. */
export class SimPod {
  readonly name: string;
  readonly process: SimProcess;
  readonly postgres: PostgresLink;
  readonly #world: SimWorld;
  readonly #plan: PodPlan;
  readonly #sockets = new Set<SimSocket>();
  readonly #redis: PodConnections;
  #stages: Stages | undefined;
  #draining = false;

  constructor(world: SimWorld, plan: PodPlan) {
    const { clock, random, postgres } = world;
    this.name = plan.name;
    this.#world = world;
    this.#plan = plan;
    this.process = new SimProcess(clock, { random: random.fork(), skewMs: plan.skewMs });
    this.postgres = new PostgresLink({
      clock,
      random: random.fork(),
      process: this.process,
      server: postgres,
    });
    this.#redis = podConnections(world, plan);
    void this.#start();
  }

  /** Takes connections and requests. */
  get isServing(): boolean {
    return this.#stages !== undefined && this.process.state !== 'dead' && !this.#draining;
  }

  get hub(): Hub | undefined {
    return this.#stages?.hub;
  }

  // ── What others ask of it ─────────────────────────────────────────────────────────────────────────────

  /** An upgrade; false: refused. */
  accept(socket: SimSocket, token: string): boolean {
    if (!this.isServing) return false;
    this.#sockets.add(socket);
    this.process.enter(() => socket.serve(this.#stages!.hub.connect(socket, token)));
    return true;
  }

  post(draft: Parameters<Intake['post']>[0]): ReturnType<Intake['post']> {
    return this.#stages!.intake.post(draft);
  }

  async change(
    kind: 'add' | 'remove',
    request: { conversationId: string; by: string; userId: string },
  ): Promise<{ kind: string; joinedSeq?: number }> {
    const { conversations, hub, publisher } = this.#stages!;
    const { conversationId, userId } = request;
    const actor = { userId: request.by, manage: false, operate: false };
    const change = { conversationId, actor, userId };
    const outcome = await (kind === 'add'
      ? conversations.addMember(change)
      : conversations.removeMember(change));
    if (outcome.kind === 'added' || outcome.kind === 'removed') {
      hub.users.hint(userId);
      publisher.publish([{ channel: `u:${userId}`, bytes: Buffer.alloc(0) }]).catch(() => {});
    }
    return outcome;
  }

  history(request: { conversationId: string; userId: string; after: number; limit: number }) {
    const actor = { userId: request.userId, manage: false, operate: false };
    return readHistory({ reader: this.#stages!.reader, metrics, log: silentLog }, { ...request, actor });
  }

  // ── What happens to it ────────────────────────────────────────────────────────────────────────────────

  /** It is gone, and everything of it. `heard`: its peers learn of it at once, not by their patience. */
  crash({ heard }: { readonly heard: boolean }): void {
    this.process.kill();
    for (const each of this.#connections()) each.close();
    if (heard) this.postgres.sever();
    for (const socket of this.#sockets) {
      if (heard) socket.terminate();
      else socket.goSilent();
    }
    this.#sockets.clear();
  }

  /** SIGTERM: what server.ts does with it. */
  async drain(): Promise<void> {
    const stages = this.#stages;
    if (this.#draining || stages === undefined || this.process.state === 'dead') return;
    this.#draining = true;
    await stages.hub.drain(DRAIN_MS);
    await stages.intake.drain();
    await stages.dispatcher?.stop();
    await stages.consumer?.stop();
    await stages.hub.stop();
    // Whatever was sent last still arrives.
    await this.process.clock.sleep(100);
    this.crash({ heard: true });
  }

  /** The network between this pod and Redis. */
  cutRedis(): void {
    for (const each of this.#connections()) each.cutOff();
  }

  mendRedis(): void {
    for (const each of this.#connections()) each.rejoin({ restored: this.#world.redis.up });
  }

  #connections() {
    const { publisher, subscriber, writer, reader } = this.#redis;
    return [publisher.connection, subscriber.connection, writer.connection, reader.connection];
  }

  async #start(): Promise<void> {
    const { clock } = this.process;
    const { log, bends } = this.#world;
    // The world is being put together still, and a test may bend its ports.
    await Promise.resolve();
    const reader = bent(bends, 'reader', { port: this.postgres.remote<ReaderLog>(log.reader), clock });
    for (;;) {
      try {
        const epochs = new Epochs({ current: await reader.readEpoch(), reader, log: silentLog });
        const { process, postgres } = this;
        const parts = { process, postgres, redis: this.#redis, epochs, reader };
        this.#stages = composeStages(this.#world, this.#plan, parts);
        break;
      } catch {
        await clock.sleep(START_RETRY_MS);
      }
    }
    this.#stages.hub.start();
    this.#stages.dispatcher?.start();
    this.#stages.consumer?.start();
  }
}
