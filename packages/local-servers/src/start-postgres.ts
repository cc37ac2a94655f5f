import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, escapeIdentifier } from 'pg';
import { freePort } from './free-port.ts';
import { ensurePostgres, type PostgresBinaries } from './postgres-binaries.ts';
import { run, signalProcess, workingDirectory, type Command } from './processes.ts';
import { ServerProcess } from './server-process.ts';
import { unprivilegedFor } from './unprivileged.ts';

const USER = 'postgres';
const PASSWORD = 'postgres';
const LEFTOVER_STOP_MS = 20_000;

export interface PostgresOptions {
  /** Made on the first start and kept; its log is `<dataDir>.log`. */
  dataDir: string;
  /** Default: a free one, kept over `restart()`. */
  port?: number | undefined;
  /** Default: the bundled ones. */
  binaries?: PostgresBinaries;
  /** Created where it does not exist, and named in `url`. Default: `postgres`. */
  database?: string;
  /** Further settings, as in postgresql.conf. */
  settings?: Record<string, string | number>;
  /** `false` gives up what survives a power cut for speed; for tests. Default: `true`. */
  durable?: boolean;
}

export interface PostgresServer {
  /** `postgres://postgres:postgres@127.0.0.1:PORT/DATABASE` */
  readonly url: string;
  readonly port: number;
  /** Of the present postmaster. */
  readonly pid: number;
  /** Settles when the present process has ended, wanted or not. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
  /** To all processes of the server: `SIGSTOP` freezes, `SIGCONT` thaws, `SIGKILL` is a host that died. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Stops it where it runs, and starts it on the same data and port. */
  restart(): Promise<void>;
}

/**
 * Starts PostgreSQL on a folder, which it initialises when it is new. It listens on the loopback addresses
 * only (superuser `postgres`, password `postgres`), and it ends when this process does. What an earlier,
 * killed owner left behind (a lock file, or the server itself) is cleared away first.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const dataDir = path.resolve(options.dataDir);
  const binaries = options.binaries ?? (await ensurePostgres({ progress: () => undefined }));
  const unprivileged = await unprivilegedFor(dataDir);
  const program = (name: string, args: string[]): Command =>
    unprivileged({ file: path.join(binaries.binDir, name), args });
  if (!existsSync(path.join(dataDir, 'PG_VERSION'))) await initialise(dataDir, program);
  await clearLeftovers(dataDir);

  const port = options.port ?? (await freePort());
  const address = (database: string): string =>
    `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`;
  const server = new ServerProcess({
    name: 'PostgreSQL',
    command: program('postgres', ['-D', dataDir, ...settingsOf(options, port)]),
    port,
    logFile: `${dataDir}.log`,
    stopSignal: 'SIGINT',
    isReady: () => answers(address('postgres')),
  });
  await server.start();
  const database = options.database ?? 'postgres';
  await createDatabase(address('postgres'), database);
  return {
    url: address(database),
    port,
    get pid() {
      return server.pid;
    },
    get ended() {
      return server.ended;
    },
    stop: () => server.stop(),
    kill: (signal) => server.kill(signal),
    restart: () => server.restart(),
  };
}

function settingsOf({ durable = true, settings }: PostgresOptions, port: number): string[] {
  // `synchronous_commit` stays on: a commit has to survive the processes that a test kills.
  const forTests = durable ? {} : { fsync: 'off', full_page_writes: 'off' };
  const all = {
    listen_addresses: 'localhost',
    port,
    // A socket's path has a short limit and a shared folder; TCP has neither.
    unix_socket_directories: '',
    max_connections: 200,
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...forTests,
    ...settings,
  };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function initialise(
  dataDir: string,
  program: (name: string, args: string[]) => Command,
): Promise<void> {
  const secrets = await mkdtemp(`${dataDir}.init-`);
  const passwordFile = path.join(secrets, 'password');
  try {
    await writeFile(passwordFile, PASSWORD, { mode: 0o644 });
    // The file is read by the account that initdb runs as, which need not be ours.
    await run({ file: 'chmod', args: ['755', secrets] });
    const access = ['-U', USER, '--pwfile', passwordFile, '--auth', 'scram-sha-256'];
    await run(program('initdb', ['-D', dataDir, ...access, '--encoding=UTF8', '--locale=C', '--no-sync']));
  } finally {
    await rm(secrets, { recursive: true });
  }
}

/**
 * A `postmaster.pid` means a server that runs, or one that was killed. PostgreSQL can tell by the pid alone,
 * which another process may have by now: the folder it works in is the proof. A server that outlived the
 * process which started it is stopped, since nobody else will.
 */
async function clearLeftovers(dataDir: string): Promise<void> {
  const lockFile = path.join(dataDir, 'postmaster.pid');
  const pid = Number.parseInt(await readFile(lockFile, 'utf8').catch(() => ''), 10);
  if (Number.isNaN(pid)) return;
  const deadline = Date.now() + LEFTOVER_STOP_MS;
  while (workingDirectory(pid) === dataDir) {
    if (Date.now() > deadline)
      throw new Error(`another PostgreSQL (pid ${pid}) uses ${dataDir} and does not stop`);
    signalProcess(pid, 'SIGINT');
    await delay(50);
  }
  if (process.platform === 'linux') await rm(lockFile, { force: true });
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function createDatabase(url: string, name: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}
