import { readFileSync } from 'node:fs';
import { eventually } from '../support/eventually.ts';
import { type PodProcess, spawnPod } from '../support/pod.ts';
import { TcpProxy } from './tcp-proxy.ts';

export interface PodPlan {
  /** Unique in the fleet; its `CONSUMER_NAME` too, unless `env` says otherwise. */
  readonly name: string;
  readonly dispatcher: boolean;
  readonly consumer: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Each network hop of a pod. */
export interface PodLinks {
  readonly postgres: TcpProxy;
  readonly redis: TcpProxy;
  /** Between clients, HTTP and WebSocket, and the pod. */
  readonly clients: TcpProxy;
}

const RESTART_TIMEOUT_MS = 60_000;

/** A pod's place in the fleet: the process there may die and be started again, its address stays. */
export class ChaosPod {
  readonly plan: PodPlan;
  readonly links: PodLinks;
  readonly #env: Readonly<Record<string, string>>;
  readonly #address: { readonly postgresUrl: string; readonly redisUrl: string };
  readonly #earlier: PodProcess[] = [];
  #process: PodProcess | undefined;

  private constructor(
    plan: PodPlan,
    links: PodLinks,
    from: {
      readonly postgresUrl: string;
      readonly redisUrl: string;
      readonly env: Readonly<Record<string, string>>;
    },
  ) {
    const { env, ...address } = from;
    this.plan = plan;
    this.links = links;
    this.#address = address;
    this.#env = env;
  }

  /** Makes the links; `start` starts the process. */
  static async place(
    plan: PodPlan,
    servers: { readonly postgresUrl: string; readonly redisUrl: string },
    env: Readonly<Record<string, string>>,
  ): Promise<ChaosPod> {
    const through = async (url: string) => {
      const address = new URL(url);
      const proxy = await TcpProxy.start(Number(address.port));
      address.port = String(proxy.port);
      return { proxy, url: address.href };
    };
    const [postgres, redis] = [await through(servers.postgresUrl), await through(servers.redisUrl)];
    // Nobody is there before the pod has said where it listens.
    const clients = await TcpProxy.start(1);
    const links = { postgres: postgres.proxy, redis: redis.proxy, clients };
    return new ChaosPod(plan, links, { postgresUrl: postgres.url, redisUrl: redis.url, env });
  }

  get name(): string {
    return this.plan.name;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.links.clients.port}`;
  }

  get wsUrl(): string {
    return `ws://127.0.0.1:${this.links.clients.port}/ws`;
  }

  get process(): PodProcess {
    if (this.#process === undefined) throw new Error(`${this.name} was never started`);
    return this.#process;
  }

  /** Of all its processes so far. */
  get logs(): PodProcess['logs'] {
    return [...this.#earlier, this.process].flatMap(({ logs }) => logs);
  }

  get isAlive(): boolean {
    const child = this.#process?.process;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** `R`, `S`, `T` (stopped) …; undefined where there is no such process. */
  get state(): string | undefined {
    try {
      const stat = readFileSync(`/proc/${this.process.pid}/stat`, 'latin1');
      return stat.slice(stat.lastIndexOf(')') + 2)[0];
    } catch {
      return undefined;
    }
  }

  /** Starts it, and again where it could not (its log may be away): as an orchestrator does. */
  async start(): Promise<void> {
    if (this.#process !== undefined) this.#earlier.push(this.#process);
    await eventually(async () => {
      this.#process = await spawnPod({
        ...this.#address,
        env: {
          DISPATCHER_ENABLED: String(this.plan.dispatcher),
          CONSUMER_ENABLED: String(this.plan.consumer),
          CONSUMER_NAME: this.name,
          ...this.#env,
          ...this.plan.env,
        },
      });
    }, RESTART_TIMEOUT_MS);
    this.links.clients.targetPort = Number(new URL(this.process.httpUrl).port);
  }

  /** Whether its health page answers within a second. */
  async answers(): Promise<boolean> {
    try {
      const { ok } = await fetch(`${this.process.httpUrl}/healthz`, { signal: AbortSignal.timeout(1000) });
      return ok;
    } catch {
      return false;
    }
  }

  async end(): Promise<void> {
    if (this.isAlive) await this.process.kill('SIGKILL');
    const { postgres, redis, clients } = this.links;
    for (const link of [clients, redis, postgres]) await link.refuse();
  }
}
