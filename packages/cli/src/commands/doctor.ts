import { loadConfig, ConfigError } from '@sanctum/messaging/config';
import { Fault } from '@sanctum/messaging/errors';
import { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { checkBacklog, checkPods, checkStorage } from '../doctor/check-pipeline.ts';
import { checkRights, checkSchema, checkServer, checkTimeline } from '../doctor/check-postgres.ts';
import { checkGroup, checkRedis } from '../doctor/check-redis.ts';
import { type Finding, ok, problem, warning } from '../doctor/finding.ts';
import { withLocalRun } from '../operator/local-run.ts';
import {
  redisUrl,
  storeConfig,
  type StoreOptions,
  type Stores,
  withInspector,
  withStoreOptions,
  withStores,
} from '../operator/stores.ts';
import { Output, type Style } from '../output.ts';
import { given, type Shell, withEnv } from '../shell.ts';
import { postgresUrl } from '../database.ts';

const EXAMPLES = `
Examples:
  sanctum doctor
  sanctum doctor --postgres-url postgres://ops@db/sanctum --redis-url redis://redis:6379 --json

Looks at settings, versions, reachability, permissions, clocks, durability, partitions, jobs, Redis, the group, the
schema, the epoch, pods, and what waits; changes nothing. Exits with 1 where there is a problem. Each finding says what
to do.`;

const STYLES: Record<Finding['level'], Style> = { ok: 'green', warning: 'yellow', problem: 'red' };

/** `sanctum doctor`: what is wrong, and what to do about it. */
export function doctorCommand(shell: Shell): Command {
  return withStoreOptions(new Command('doctor'))
    .description('look for what is wrong, and say what to do about it')
    .addHelpText('after', EXAMPLES)
    .action((options: StoreOptions) => doctor(shell, options));
}

async function doctor(caller: Shell, options: StoreOptions): Promise<void> {
  const output = new Output(caller, options);
  const named = await withLocalRun(caller, options, output);
  // Named wrongly, or not at all, there is nothing to look at.
  postgresUrl(named, options, output);
  const { findings, wrong } = checkSettings(named, options);
  const shell = withEnv(named, Object.fromEntries(wrong.map((name) => [name, ''])));
  try {
    await withStores(shell, { options, output }, async (stores) => {
      findings.push(...(await examine(shell, stores)));
    });
  } catch (error) {
    if (!(error instanceof CliError || error instanceof Fault)) throw error;
    const next = error instanceof CliError ? error.next : undefined;
    findings.push(problem('postgres', error.message, next ?? 'Look at its log.'));
    findings.push(...(await examineRedisAlone(shell, options)));
  }
  const problems = findings.filter(({ level }) => level === 'problem').length;
  const warnings = findings.filter(({ level }) => level === 'warning').length;
  const lines = findings.map(({ check, level, message, remedy }) => {
    const head = `${output.paint(STYLES[level], level.padEnd(7))}  ${check.padEnd(20)}  ${message}`;
    return remedy === undefined ? head : `${head}\n${' '.repeat(31)}→ ${remedy}`;
  });
  const counted = `${counts(problems, 'problem')}, ${counts(warnings, 'warning')}`;
  lines.push('', counted);
  output.result({ problems, warnings, findings }, lines.join('\n'));
  if (problems > 0) throw new CliError(counts(problems, 'problem'));
}

function counts(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

async function examine(shell: Shell, stores: Stores): Promise<Finding[]> {
  const { pool, inspector, fleet, config } = stores;
  const now = () => shell.clock.now();
  const checks: [string, () => Promise<Finding[]>][] = [
    ['postgres', () => checkServer(pool, now)],
    ['schema', () => checkSchema(pool)],
    ['permissions', () => checkRights(pool)],
    ['timeline and epoch', () => checkTimeline(pool)],
    ['partitions', () => checkStorage(shell, stores, now())],
    ['outbox', () => checkBacklog(stores, now())],
    ['pods', async () => checkPods(stores)],
  ];
  if (inspector === undefined) {
    checks.push([
      'redis',
      async () => [warning('redis', 'none was named', 'Give --redis-url, or set REDIS_URL.')],
    ]);
  } else {
    checks.push(['redis', () => checkRedis(inspector, now)]);
    const { group } = config.consumer;
    checks.push(['consumer group', () => checkGroup(inspector, { group, pods: fleet.alive() })]);
  }
  const findings: Finding[] = [];
  for (const [name, check] of checks) {
    try {
      findings.push(...(await check()));
    } catch (error) {
      findings.push(failed(name, error));
    }
  }
  return findings;
}

/** Where PostgreSQL cannot be had, Redis is looked at all the same. */
async function examineRedisAlone(shell: Shell, options: StoreOptions): Promise<Finding[]> {
  const url = redisUrl(shell, options);
  if (url === undefined) return [];
  return withInspector(storeConfig(shell.env, { postgres: 'postgres://none', redis: url }), (inspector) =>
    checkRedis(inspector, () => shell.clock.now()).catch((error: unknown) => [failed('redis', error)]),
  );
}

function failed(name: string, error: unknown): Finding {
  const reason = error instanceof Fault ? error.message : String(error);
  const remedy = reason.startsWith('redis')
    ? 'Is Redis running, and the address right? Messages go by the slow path meanwhile.'
    : 'Is the schema up to date (`sanctum migrate`), and may this role read it?';
  return problem(name, `could not be looked at: ${reason}`, remedy);
}

/** The settings of this shell, as a pod with them would read them. What is wrong is left out of what follows. */
function checkSettings(shell: Shell, options: StoreOptions): { findings: Finding[]; wrong: string[] } {
  const findings: Finding[] = [];
  const wrong: string[] = [];
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  findings.push(
    major > 20 || (major === 20 && minor >= 19)
      ? ok('node', process.versions.node)
      : problem('node', `${process.versions.node} is too old`, 'Use Node 20.19 or newer.'),
  );
  try {
    const urls = {
      POSTGRES_URL:
        options.postgresUrl ?? given(shell.env, 'POSTGRES_URL') ?? given(shell.env, 'DATABASE_URL'),
      REDIS_URL: redisUrl(shell, options) ?? 'redis://127.0.0.1:6379',
    };
    const hasKey = ['JWT_JWKS_URL', 'JWT_PUBLIC_KEY', 'JWT_SECRET'].some((name) => given(shell.env, name));
    // No secret is made here for the sake of a look.
    const key = hasKey ? {} : { JWT_SECRET: 'x'.repeat(32) };
    const { warnings } = loadConfig({ ...shell.env, ...urls, ...key });
    if (warnings.length === 0) findings.push(ok('settings', 'those of this shell are right'));
    for (const text of warnings) findings.push(warning('settings', text, 'See docs/configuration.md.'));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const line of error.lines) {
      findings.push(problem('settings', line, 'See docs/configuration.md.'));
      wrong.push(line.split(':', 1)[0]!);
    }
  }
  return { findings, wrong };
}
