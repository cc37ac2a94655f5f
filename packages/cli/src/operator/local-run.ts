import { isRunning } from '@sanctum/local-servers';
import { postgresIsNamed } from '../database.ts';
import { DEFAULT_URL } from '../option-values.ts';
import type { Output } from '../output.ts';
import { given, type Shell, withEnv } from '../shell.ts';
import { readRun, type Run, type RunUrls } from '../start/run-file.ts';

/**
 * Where no database is named, and `npm start` runs in this clone, its servers are meant: the shell as it would be with
 * them in its environment. A Redis that is named stays.
 */
export async function withLocalRun(
  shell: Shell,
  options: { readonly postgresUrl?: string; readonly redisUrl?: string },
  output: Pick<Output, 'note'>,
): Promise<Shell> {
  if (postgresIsNamed(shell, options)) return shell;
  const run = await localRun(shell);
  if (run === undefined) return shell;
  output.note(`no database is named: looking at what \`npm start\` runs here (pid ${run.pid})`);
  const REDIS_URL = given(shell.env, 'REDIS_URL') ?? run.urls.redis;
  return withEnv(shell, { POSTGRES_URL: run.urls.postgres, REDIS_URL });
}

/** Where the service is: as named, else where `npm start` runs it in this clone, else where it is by default. */
export async function serviceUrl(
  shell: Shell,
  { url }: { readonly url?: string },
  output: Pick<Output, 'note'>,
): Promise<string> {
  if (url !== undefined) return url;
  const run = await localRun(shell);
  if (run === undefined) return DEFAULT_URL;
  const { http } = run.urls;
  if (http !== DEFAULT_URL)
    output.note(`no service is named: the one is meant that \`npm start\` runs here, at ${http}`);
  return http;
}

/** What `npm start` runs in this clone, once it is ready. */
async function localRun({ runFile }: Shell): Promise<(Run & { urls: RunUrls }) | undefined> {
  const run = runFile === undefined ? undefined : await readRun(runFile);
  if (run?.urls === undefined || !(await isRunning(run.identity))) return undefined;
  return { ...run, urls: run.urls };
}
