import {
  ensurePostgres,
  ensureRedis,
  processIdentity,
  startPostgres,
  startRedis,
  stateDir,
} from '@sanctum/local-servers';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunFile, RunUrls } from './run-file.ts';
import { stablePort } from './stable-port.ts';
import { checkedSettings, given, serviceSettings, startService } from './start-service.ts';

const PORTS_FILE = path.join(stateDir, 'ports.json');
const SERVICE = 'the messaging service';
const POSTGRES_PORT = 5432;
const REDIS_PORT = 6379;
/** One Ctrl-C arrives twice: from the terminal, and handed on by npm. Only a later one means "at once". */
const IMPATIENCE_MS = 1_000;

interface Local {
  pid: number;
  ended: Promise<string>;
  stop(): Promise<void>;
}

/** What was started, in order; it stops in the opposite order: service, Redis, PostgreSQL. */
export class LocalStack {
  readonly serviceLog = path.join(stateDir, 'service.log');
  readonly #runFile: RunFile;
  readonly #progress: (line: string) => void;
  readonly #started: { name: string; server: Local }[] = [];
  readonly #stopWanted = new AbortController();
  #stopping: Promise<void> | undefined;
  /** What is being started just now. */
  #pending: Promise<unknown> = Promise.resolve();

  constructor(runFile: RunFile, progress: (line: string) => void) {
    this.#runFile = runFile;
    this.#progress = progress;
  }

  get stopWanted(): boolean {
    return this.#stopWanted.signal.aborted;
  }

  async start(): Promise<RunUrls> {
    const settings = serviceSettings();
    const { http, shutdownGraceMs } = await checkedSettings(settings);
    const postgres = given('POSTGRES_URL') ?? given('DATABASE_URL') ?? (await this.#startPostgres());
    const redis = given('REDIS_URL') ?? (await this.#startRedis());
    await writeFile(this.serviceLog, '');
    await this.#starting(SERVICE, () =>
      startService({
        port: http.port,
        drainMs: shutdownGraceMs,
        env: { ...settings, POSTGRES_URL: postgres, REDIS_URL: redis },
        logFile: this.serviceLog,
        abort: this.#stopWanted.signal,
      }),
    );
    const address = `127.0.0.1:${http.port}`;
    const admin = `http://127.0.0.1:${http.adminPort}`;
    const urls = { http: `http://${address}`, websocket: `ws://${address}/ws`, admin, postgres, redis };
    await this.#runFile.ready(urls);
    return urls;
  }

  /** Waits until someone stops it (0) or one of the servers ends by itself (1). */
  async untilStopped(): Promise<number> {
    const unexpected = this.#started.map(async ({ name, server }) => ({ name, how: await server.ended }));
    const { name, how } = await Promise.race(unexpected);
    if (!this.stopWanted) {
      const where = name === SERVICE ? this.serviceLog : stateDir;
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

  #starting<T extends Local>(name: string, start: () => Promise<T>): Promise<T> {
    if (this.stopWanted) return Promise.reject(new Error('stopped'));
    this.#progress(`starting ${name}`);
    const starting = this.#noted(name, start);
    this.#pending = starting.catch(() => undefined);
    return starting;
  }

  async #noted<T extends Local>(name: string, start: () => Promise<T>): Promise<T> {
    const server = await start();
    this.#started.push({ name, server });
    const identity = await processIdentity(server.pid);
    if (identity !== undefined) await this.#runFile.addServer(identity);
    return server;
  }

  async #stopAll(): Promise<void> {
    await this.#pending;
    for (const { name, server } of this.#started.toReversed()) {
      this.#progress(`stopping ${name}`);
      await server.stop();
    }
    await this.#runFile.release();
  }
}
