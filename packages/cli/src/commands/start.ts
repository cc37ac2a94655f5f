import {
  developmentJwt,
  ensurePostgres,
  ensureRedis,
  processIdentity,
  startPostgres,
  startRedis,
  stateDir,
} from '@sanctum/local-servers';
import { Command } from 'commander';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readyText } from '../start/ready-text.ts';
import { takeRunFile, updateRunFile, type RunFile, type RunUrls } from '../start/run-file.ts';
import { stablePort } from '../start/stable-port.ts';
import { startService } from '../start/start-service.ts';

const RUN_FILE = path.join(stateDir, 'run.json');
const PORTS_FILE = path.join(stateDir, 'ports.json');
const SERVICE_LOG = path.join(stateDir, 'service.log');
const POSTGRES_PORT = 5432;
const REDIS_PORT = 6379;
/** One Ctrl-C arrives twice: from the terminal, and handed on by npm. Only a later one means "at once". */
const IMPATIENCE_MS = 1_000;

interface Local {
  pid: number;
  ended: Promise<string>;
  stop(): Promise<void>;
}

/** `sanctum start`: the whole pipeline on this machine, until Ctrl-C. */
export function startCommand(): Command {
  return new Command('start')
    .description('run the whole pipeline on this machine, with a PostgreSQL and a Redis of its own')
    .option('--json', 'print the addresses as JSON once everything is ready')
    .addHelpText('after', '\nEvery setting of the service may be given in the environment, and wins.')
    .action(async (options: { json?: true }) => {
      const progress = (line: string): void => void process.stderr.write(`• ${line}\n`);
      const run = await takeRunFile(RUN_FILE);
      const stack = new LocalStack(run, progress);
      stack.stopOnSignals();
      try {
        const urls = await stack.start();
        process.stdout.write(
          options.json === true
            ? `${JSON.stringify({ pid: run.pid, urls })}\n`
            : readyText(urls, SERVICE_LOG),
        );
        process.exitCode = await stack.untilStopped();
      } catch (error) {
        await stack.stop();
        if (!stack.stopWanted) throw error;
      }
    });
}

/** What was started, in order; it stops in the opposite order: service, Redis, PostgreSQL. */
class LocalStack {
  readonly #run: RunFile;
  readonly #progress: (line: string) => void;
  readonly #started: { name: string; server: Local }[] = [];
  readonly #stopWanted = new AbortController();
  #stopping: Promise<void> | undefined;
  /** What is being started just now. */
  #pending: Promise<unknown> = Promise.resolve();

  constructor(run: RunFile, progress: (line: string) => void) {
    this.#run = run;
    this.#progress = progress;
  }

  get stopWanted(): boolean {
    return this.#stopWanted.signal.aborted;
  }

  async start(): Promise<RunUrls> {
    const postgres = given('POSTGRES_URL') ?? given('DATABASE_URL') ?? (await this.#startPostgres());
    const redis = given('REDIS_URL') ?? (await this.#startRedis());
    const settings: Record<string, string> = {
      ...(await developmentJwt(stateDir, process.env)),
      POSTGRES_URL: postgres,
      REDIS_URL: redis,
      DISPATCHER_ENABLED: given('DISPATCHER_ENABLED') ?? 'true',
      CONSUMER_ENABLED: given('CONSUMER_ENABLED') ?? 'true',
      HTTP_PORT: given('HTTP_PORT') ?? '8083',
      ADMIN_PORT: given('ADMIN_PORT') ?? '8084',
    };
    await writeFile(SERVICE_LOG, '');
    await this.#starting('the messaging service', () =>
      startService(settings, SERVICE_LOG, this.#stopWanted.signal),
    );
    const http = `127.0.0.1:${settings['HTTP_PORT']}`;
    const urls = {
      http: `http://${http}`,
      websocket: `ws://${http}/ws`,
      admin: `http://127.0.0.1:${settings['ADMIN_PORT']}`,
      postgres,
      redis,
    };
    this.#run.urls = urls;
    await updateRunFile(RUN_FILE, this.#run);
    return urls;
  }

  /** Waits until someone stops it (0) or one of the servers ends by itself (1). */
  async untilStopped(): Promise<number> {
    const unexpected = this.#started.map(async ({ name, server }) => ({ name, how: await server.ended }));
    const { name, how } = await Promise.race(unexpected);
    if (!this.stopWanted) {
      const where = name === 'the messaging service' ? SERVICE_LOG : stateDir;
      this.#progress(`${name} ended by itself (${how}); see ${where}`);
    }
    await this.stop();
    return this.stopWanted ? 0 : 1;
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stopAll());
  }

  stopOnSignals(): void {
    let firstAt = 0;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (!this.stopWanted) {
          firstAt = Date.now();
          this.#stopWanted.abort();
          void this.stop();
        } else if (Date.now() - firstAt > IMPATIENCE_MS) {
          // The servers see us go and end by themselves.
          process.exit(1);
        }
      });
    }
  }

  async #startPostgres(): Promise<string> {
    const binaries = await ensurePostgres({ progress: this.#progress });
    const port = await stablePort(PORTS_FILE, 'postgres', POSTGRES_PORT);
    const dataDir = path.join(stateDir, 'postgres');
    const server = await this.#starting(`PostgreSQL on port ${port}`, () =>
      startPostgres({ dataDir, port, binaries, database: 'sanctum' }),
    );
    return server.url;
  }

  async #startRedis(): Promise<string> {
    const binaries = await ensureRedis({ progress: this.#progress });
    const port = await stablePort(PORTS_FILE, 'redis', REDIS_PORT);
    const dir = path.join(stateDir, 'redis');
    const server = await this.#starting(`Redis on port ${port}`, () =>
      startRedis({ dir, port, binaries, persist: true }),
    );
    return server.url;
  }

  async #starting<T extends Local>(name: string, start: () => Promise<T>): Promise<T> {
    if (this.stopWanted) throw new Error('stopped');
    this.#progress(`starting ${name}`);
    const starting = start().then((server) => {
      this.#started.push({ name, server });
      return server;
    });
    this.#pending = starting.catch(() => undefined);
    const server = await starting;
    const identity = await processIdentity(server.pid);
    if (identity !== undefined) this.#run.servers.push(identity);
    await updateRunFile(RUN_FILE, this.#run);
    return server;
  }

  async #stopAll(): Promise<void> {
    await this.#pending;
    for (const { name, server } of this.#started.toReversed()) {
      this.#progress(`stopping ${name}`);
      await server.stop();
    }
    await rm(RUN_FILE, { force: true });
  }
}

/** A setting of the environment; an empty one counts as none. */
function given(name: string): string | undefined {
  return process.env[name] === '' ? undefined : process.env[name];
}
