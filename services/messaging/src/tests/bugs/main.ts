import { startPostgres, startRedis } from '@sanctum/local-servers';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { migrate } from '../../adapters/postgres/migrate.ts';
import { codeFingerprint } from '../simulation/sim-report.ts';
import { createDatabase, databaseUrl, randomName } from '../support/test-database.ts';
import type { Bug } from './bug.ts';
import { type BugReport, type Caught, isProven } from './caught.ts';
import { huntInSimulation } from './hunt-in-simulation.ts';
import { huntOnServers, type Servers } from './hunt-on-servers.ts';
import { BUGS } from './list.ts';

const HELP = `Usage: pnpm test:bugs [--bug NAME]… [--report FILE]

Builds deliberate bugs into the service, one at a time and in tests only, and sees whether the checks notice: each
must be seen by the check that should see it, and the same runs without the bug must be clean. Most are played in
the simulation; those of the SQL run on a PostgreSQL and a Redis that are started for it.

  --bug NAME     this one alone; more than once for several
  --list         names them, and what is wrong with each
  --report FILE  writes the results there as JSON (docs/evidence/bugs.json is what docs/guarantees.md shows)
  --help         this text

Exit code: 0 each was seen, 1 one was not, or a control run was not clean, 2 wrong usage.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      bug: { type: 'string', multiple: true, default: [] },
      list: { type: 'boolean', default: false },
      report: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.list) {
    for (const { name, what } of BUGS) print(`${name.padEnd(NAME_WIDTH)}  ${what}`);
    return 0;
  }
  const bugs = chosen(values.bug);
  const startedAt = new Date().toISOString();
  print(ROW('bug', 'caught by', 'after', 'control'));
  const results = await huntAll(bugs);
  const failed = results.filter((result) => !isProven(result));
  print(`${results.length - failed.length} of ${results.length} seen by the check that should`);
  if (values.report !== undefined) {
    const report: BugReport = {
      code: codeFingerprint(),
      startedAt,
      endedAt: new Date().toISOString(),
      bugs: results,
    };
    mkdirSync(path.dirname(values.report), { recursive: true });
    writeFileSync(values.report, `${JSON.stringify(report, null, 2)}\n`);
  }
  return failed.length === 0 ? 0 : 1;
}

const NAME_WIDTH = Math.max(...BUGS.map(({ name }) => name.length));
const CHECK_WIDTH = Math.max(...BUGS.map(({ caughtBy }) => caughtBy.length));
const ROW = (name: string, caughtBy: string, after: string, control: string) =>
  `  ${name.padEnd(NAME_WIDTH)}  ${caughtBy.padEnd(CHECK_WIDTH)}  ${after.padEnd(18)}  ${control}`;

function chosen(names: readonly string[]): readonly Bug[] {
  const unknown = names.filter((name) => !BUGS.some((bug) => bug.name === name));
  if (unknown.length > 0)
    throw new UsageError(`--bug ${unknown.join(', ')}: there is no such bug; see --list`);
  return names.length === 0 ? BUGS : BUGS.filter(({ name }) => names.includes(name));
}

async function huntAll(bugs: readonly Bug[]): Promise<Caught[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sanctum-bugs-'));
  const servers = new BugServers(folder);
  const results: Caught[] = [];
  try {
    for (const bug of bugs) {
      const isSimulated = bug.where === 'simulation';
      const result = await (isSimulated ? huntInSimulation(bug) : huntOnServers(bug, () => servers.fresh()));
      results.push(result);
      const { name, caughtBy, caught, runs, seconds, controlClean, says } = result;
      const after = `${runs} ${isSimulated ? 'seed' : 'run'}${runs === 1 ? '' : 's'}, ${seconds} s`;
      print(ROW(name, caught ? caughtBy : 'NOT SEEN', after, controlClean ? 'clean' : 'NOT CLEAN'));
      if (!isProven(result)) print(`    ${says}`);
    }
  } finally {
    await servers.stop();
    await rm(folder, { recursive: true, force: true });
  }
  return results;
}

/** One PostgreSQL and one Redis, started when the first bug needs them. */
class BugServers {
  readonly #folder: string;
  #started:
    | Promise<{
        postgres: { url: string; stop(): Promise<void> };
        redis: { url: string; stop(): Promise<void> };
      }>
    | undefined;
  #runs = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async fresh(): Promise<Servers> {
    const { postgres, redis } = await (this.#started ??= this.#start());
    const database = randomName('bugs');
    await createDatabase(postgres.url, database);
    const postgresUrl = databaseUrl(postgres.url, database);
    await migrate(postgresUrl);
    this.#runs += 1;
    return { postgresUrl, redisUrl: databaseUrl(redis.url, String(this.#runs)) };
  }

  async stop(): Promise<void> {
    const started = await this.#started;
    await Promise.all([started?.postgres.stop(), started?.redis.stop()]);
  }

  async #start() {
    const dataDir = path.join(this.#folder, 'postgres');
    const [postgres, redis] = await Promise.all([
      startPostgres({ dataDir, durable: false }),
      startRedis({ dir: path.join(this.#folder, 'redis') }),
    ]);
    return { postgres, redis };
  }
}

class UsageError extends Error {}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

// Faults are made by the thousand, and nobody reads where.
Error.stackTraceLimit = 0;

main().then(
  (exitCode) => (process.exitCode = exitCode),
  (error: unknown) => {
    const isUsage =
      error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
    process.stderr.write(`${isUsage ? (error as Error).message : String((error as Error).stack)}\n`);
    process.exitCode = isUsage ? 2 : 1;
  },
);
