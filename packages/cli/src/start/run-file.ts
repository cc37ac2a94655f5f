import { isRunning, processIdentity, signalProcess } from '@sanctum/local-servers';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** `.sanctum/run.json`: who runs here just now. Whoever holds the file holds the data beside it. */
export interface RunFile {
  /** Of the `sanctum start` process, with the time it started: a pid alone is used again. */
  identity: string;
  pid: number;
  /** Identities of the servers; they end with `sanctum start`, a draining one a little later. */
  servers: string[];
  /** Known once all of it is ready. */
  urls?: RunUrls;
}

export interface RunUrls {
  http: string;
  websocket: string;
  admin: string;
  postgres: string;
  redis: string;
}

const OLD_SERVERS_STOP_MS = 30_000;

/** Takes the file, or says who has it. What a killed run left behind is waited for, then ended. */
export async function takeRunFile(file: string): Promise<RunFile> {
  await mkdir(path.dirname(file), { recursive: true });
  const earlier = await readRunFile(file);
  if (earlier !== undefined) {
    if (await isRunning(earlier.identity)) throw alreadyRunning(earlier);
    await endLeftovers(earlier.servers);
    await rm(file, { force: true });
  }
  const identity = await processIdentity(process.pid);
  if (identity === undefined) throw new Error('this process cannot be found in the process table');
  const mine: RunFile = { identity, pid: process.pid, servers: [] };
  try {
    await writeFile(file, `${JSON.stringify(mine, null, 2)}\n`, { flag: 'wx' });
  } catch (error) {
    const winner = await readRunFile(file);
    throw winner === undefined ? error : alreadyRunning(winner);
  }
  return mine;
}

export async function readRunFile(file: string): Promise<RunFile | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as RunFile;
  } catch {
    return undefined;
  }
}

export async function updateRunFile(file: string, run: RunFile): Promise<void> {
  await writeFile(file, `${JSON.stringify(run, null, 2)}\n`);
}

function alreadyRunning({ pid, urls }: RunFile): Error {
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
