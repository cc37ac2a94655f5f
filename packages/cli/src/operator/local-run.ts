import { isRunning } from '@sanctum/local-servers';
import { postgresIsNamed } from '../database.ts';
import type { Output } from '../output.ts';
import { given, type Shell, withEnv } from '../shell.ts';
import { readRun } from '../start/run-file.ts';

/**
 * Where no database is named, and `npm start` runs in this clone, its servers are meant: the shell as it would be with
 * them in its environment. A Redis that is named stays.
 */
export async function withLocalRun(
  shell: Shell,
  options: { readonly postgresUrl?: string; readonly redisUrl?: string },
  output: Pick<Output, 'note'>,
): Promise<Shell> {
  if (postgresIsNamed(shell, options) || shell.runFile === undefined) return shell;
  const run = await readRun(shell.runFile);
  if (run?.urls === undefined || !(await isRunning(run.identity))) return shell;
  output.note(`no database is named: looking at what \`npm start\` runs here (pid ${run.pid})`);
  const REDIS_URL = given(shell.env, 'REDIS_URL') ?? run.urls.redis;
  return withEnv(shell, { POSTGRES_URL: run.urls.postgres, REDIS_URL });
}
