import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  ensurePostgres,
  ensureRedis,
  type PostgresServer,
  type RedisServer,
  startPostgres,
  startRedis,
} from '@sanctum/local-servers';

const MAIN = fileURLToPath(new URL('../../services/messaging/src/main.ts', import.meta.url));
export const JWT = {
  issuer: 'sanctum',
  audience: 'sanctum-messaging',
  secret: 'a-secret-for-benchmarks-of-32-bytes',
};

export interface BenchPod {
  readonly pid: number;
  readonly httpUrl: string;
  readonly wsUrl: string;
  stop(): Promise<void>;
}

/** A durable PostgreSQL and a Redis of this run's own, and pods of the service beside them. */
export class Stack {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  readonly #folder: string;
  readonly #pods: BenchPod[] = [];
  /** Where each pod writes a CPU profile when it ends; undefined: nowhere. */
  readonly #profileFolder: string | undefined;

  private constructor(options: {
    postgres: PostgresServer;
    redis: RedisServer;
    folder: string;
    profileFolder: string | undefined;
  }) {
    this.postgres = options.postgres;
    this.redis = options.redis;
    this.#folder = options.folder;
    this.#profileFolder = options.profileFolder;
  }

  static async start(profileFolder?: string): Promise<Stack> {
    const progress = (line: string) => process.stderr.write(`${line}\n`);
    await ensurePostgres({ progress });
    await ensureRedis({ progress });
    const folder = await mkdtemp(path.join(tmpdir(), 'sanctum-bench-'));
    const postgres = await startPostgres({ dataDir: path.join(folder, 'postgres'), database: 'bench' });
    const redis = await startRedis({ dir: path.join(folder, 'redis') });
    return new Stack({ postgres, redis, folder, profileFolder });
  }

  /** A pod with both flags on, unless `env` says otherwise. */
  async pod(env: Record<string, string> = {}): Promise<BenchPod> {
    const profile =
      this.#profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${this.#profileFolder}`];
    const child = spawn(process.execPath, [...profile, '--import', 'tsx', MAIN, '--migrate'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        POSTGRES_URL: this.postgres.url,
        REDIS_URL: this.redis.url,
        DISPATCHER_ENABLED: 'true',
        CONSUMER_ENABLED: 'true',
        HTTP_HOST: '127.0.0.1',
        HTTP_PORT: '0',
        ADMIN_PORT: '0',
        JWT_ISSUER: JWT.issuer,
        JWT_AUDIENCE: JWT.audience,
        JWT_SECRET: JWT.secret,
        WEBSOCKET_MAX_CLIENTS: '20000',
        SHUTDOWN_GRACE_MS: '2000',
        ...env,
      },
    });
    const port = await portOf(child);
    const pod: BenchPod = {
      pid: child.pid!,
      httpUrl: `http://127.0.0.1:${port}`,
      wsUrl: `ws://127.0.0.1:${port}/ws`,
      async stop() {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        await ended;
      },
    };
    this.#pods.push(pod);
    return pod;
  }

  async stop(): Promise<void> {
    for (const pod of this.#pods) await pod.stop();
    await this.redis.stop();
    await this.postgres.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function portOf(child: ChildProcess): Promise<number> {
  for await (const text of createInterface({ input: child.stdout! })) {
    const line = JSON.parse(text) as { event?: string; port?: number };
    if (line.event !== 'server_started') continue;
    child.stdout!.resume();
    return line.port!;
  }
  throw new Error('the service ended before it was ready');
}
