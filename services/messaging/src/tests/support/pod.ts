import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { createLog } from '../../adapters/pino-log.ts';
import { loadConfig } from '../../config.ts';
import { type Log, silentLog } from '../../log.ts';
import { type Overrides, startServer } from '../../server.ts';
import { programOf } from './program.ts';
import { TEST_JWT } from './tokens.ts';

export interface PodOptions {
  readonly postgresUrl: string;
  readonly redisUrl: string;
  /** Settings beside the two; the fast path is on unless switched off here. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Pod {
  readonly httpUrl: string;
  readonly wsUrl: string;
  /** As `http://127.0.0.1:8084`. */
  readonly adminUrl: string;
  /** SIGTERM, and its end. */
  stop(): Promise<void>;
}

let pods = 0;

function environment({ postgresUrl, redisUrl, env }: PodOptions): Record<string, string> {
  pods += 1;
  return {
    POSTGRES_URL: postgresUrl,
    REDIS_URL: redisUrl,
    DISPATCHER_ENABLED: 'true',
    CONSUMER_ENABLED: 'true',
    CONSUMER_NAME: `test-${process.pid}-${pods}`,
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: '0',
    ADMIN_PORT: '0',
    JWT_ISSUER: TEST_JWT.issuer,
    JWT_AUDIENCE: TEST_JWT.audience,
    JWT_SECRET: TEST_JWT.secret,
    SHUTDOWN_GRACE_MS: '5000',
    ...env,
  };
}

/**
 * A pod inside the test's own process: real servers, and ports that a test may wrap (`overrides`) to force an
 * interleaving.
 */
export async function startPod(options: PodOptions & { overrides?: Overrides; log?: Log }): Promise<Pod> {
  const config = loadConfig(environment(options));
  const log =
    process.env['TEST_LOG'] === undefined
      ? (options.log ?? silentLog)
      : createLog('debug', { pod: config.consumer.name });
  const server = await startServer(config, log, options.overrides);
  return { ...urlsOf(server.port, server.adminPort), stop: () => server.stop() };
}

export interface PodProcess extends Pod {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Log lines, parsed. */
  readonly logs: readonly Readonly<Record<string, unknown>>[];
  /** Resolves with the first log line of this event, past or to come. */
  logged(event: string): Promise<Readonly<Record<string, unknown>>>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

const MAIN = 'services/messaging/src/main.ts';

/**
 * A pod as a process of its own, that can be killed. `probe` is a module that it loads before the service, and that
 * has a channel for messages; such a pod is in a process group of its own, out of reach of `Ctrl-C`.
 */
export async function spawnPod(options: PodOptions & { readonly probe?: string }): Promise<PodProcess> {
  const { probe } = options;
  const probing = probe === undefined ? [] : ['--expose-gc', '--import', 'tsx', '--import', probe];
  const child = spawn(process.execPath, [...probing, await programOf(MAIN)], {
    env: { ...process.env, LOG_LEVEL: 'info', ...environment(options) },
    stdio: probe === undefined ? ['ignore', 'pipe', 'inherit'] : ['ignore', 'pipe', 'inherit', 'ipc'],
    detached: probe !== undefined,
  });
  const logs: Record<string, unknown>[] = [];
  const waiting = new Set<{ event: string; resolve: (line: Record<string, unknown>) => void }>();
  createInterface({ input: child.stdout! }).on('line', (text) => {
    const line = JSON.parse(text) as Record<string, unknown>;
    logs.push(line);
    for (const waiter of waiting) {
      if (waiter.event !== line['event']) continue;
      waiting.delete(waiter);
      waiter.resolve(line);
    }
  });
  const exited = once(child, 'exit');
  const logged = (event: string) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const seen = logs.find((line) => line['event'] === event);
      if (seen !== undefined) return resolve(seen);
      waiting.add({ event, resolve });
      void exited.then(() => reject(new Error(`the pod ended before ${event}`)));
    });
  const { port, admin_port: adminPort } = await logged('server_started');
  const kill = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exited;
  };
  return {
    ...urlsOf(port as number, adminPort as number),
    process: child,
    pid: child.pid!,
    logs,
    logged,
    kill,
    stop: () => kill('SIGTERM'),
  };
}

function urlsOf(port: number, adminPort: number) {
  return {
    adminUrl: `http://127.0.0.1:${adminPort}`,
    httpUrl: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}/ws`,
  };
}
