import { isRunning, processIdentity, signalProcess } from '@sanctum/local-servers';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface RunUrls {
  http: string;
  websocket: string;
  /** The admin API, and the console at its `/`. */
  admin: string;
  postgres: string;
  redis: string;
}

/** What `.sanctum/run.json` says: who runs here just now. */
export interface Run {
  /** Of the `sanctum start` process, with the time it started: a pid alone is used again. */
  identity: string;
  pid: number;
  /** Identities of the servers; they end with `sanctum start`, a draining one a little later. */
  servers: string[];
  /** Known once all of it is ready. */
  urls?: RunUrls;
}

const OLD_SERVERS_STOP_MS = 30_000;

/** The run that `file` tells of, which may be over; nothing where there is no such file. */
export async function readRun(file: string): Promise<Run | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Run;
  } catch {
    return undefined;
  }
}

/** Whoever holds this file holds the data beside it. */
export class RunFile {
  readonly #file: string;
  readonly #run: Run;

  private constructor(file: string, run: Run) {
    this.#file = file;
    this.#run = run;
  }

  /** Takes the file, or says who has it. What a killed run left behind is waited for, then ended. */
  static async take(file: string): Promise<RunFile> {
    await mkdir(path.dirname(file), { recursive: true });
    const earlier = await readRun(file);
    if (earlier !== undefined) {
      if (await isRunning(earlier.identity)) throw alreadyRunning(earlier);
      await endLeftovers(earlier.servers);
      await rm(file, { force: true });
    }
    const identity = await processIdentity(process.pid);
    if (identity === undefined) throw new Error('this process cannot be found in the process table');
    const run: Run = { identity, pid: process.pid, servers: [] };
    try {
      await writeFile(file, text(run), { flag: 'wx' });
    } catch (error) {
      const winner = await readRun(file);
      throw winner === undefined ? error : alreadyRunning(winner);
    }
    return new RunFile(file, run);
  }

  async addServer(identity: string): Promise<void> {
    this.#run.servers.push(identity);
    await writeFile(this.#file, text(this.#run));
  }

  async ready(urls: RunUrls): Promise<void> {
    this.#run.urls = urls;
    await writeFile(this.#file, text(this.#run));
  }

  async release(): Promise<void> {
    await rm(this.#file, { force: true });
  }
}

function text(run: Run): string {
  return `${JSON.stringify(run, null, 2)}\n`;
}

function alreadyRunning({ pid, urls }: Run): Error {
  const where = urls === undefined ? 'is starting' : `runs at ${urls.http}`;
  return new Error(
    `Sanctum ${where} already, from this folder (pid ${pid}). Stop that one first with Ctrl-C.`,
  );
}

async function endLeftovers(identities: string[]): Promise<void> {
  const deadline = Date.now() + OLD_SERVERS_STOP_MS;
  for (const identity of identities) {
    while (await isRunning(identity)) {
      if (Date.now() > deadline) signalProcess(Number.parseInt(identity, 10), 'SIGKILL');
      await delay(50);
    }
  }
}
