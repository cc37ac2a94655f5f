import { migrationNames } from '@sanctum/messaging/adapters/postgres/migrate';
import { PostgresOperations, type ServerIdentity } from '@sanctum/messaging/adapters/postgres/operations';
import { readSchemaObjects } from '@sanctum/messaging/adapters/postgres/read-schema-objects';
import { schemaObjects } from '@sanctum/messaging/adapters/postgres/schema-objects';
import type { PostgresPool } from '@sanctum/messaging/adapters/postgres/pool';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Finding, ok, problem, warning } from './finding.ts';

const OLDEST_VERSION = 150_000;
/** Clocks that differ by so much make tokens and lag lie. */
const SKEW_WARNING_MS = 1000;
const SKEW_PROBLEM_MS = 5000;

const SERVER = {
  name: 'doctor-server',
  text: `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text,
           pg_is_in_recovery() AS standby, clock_timestamp() AS now,
           current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
           current_setting('full_page_writes') AS full_page_writes,
           current_setting('synchronous_standby_names') AS standbys`,
};
const MIGRATIONS = {
  name: 'doctor-migrations',
  text: 'SELECT name, checksum FROM messaging.schema_migration ORDER BY name',
};
const RIGHTS = {
  name: 'doctor-rights',
  text: `SELECT current_user AS role,
           has_table_privilege('messaging.message_outbox', 'SELECT') AS reads,
           has_any_column_privilege('messaging.message_outbox', 'UPDATE') AS replays,
           has_function_privilege('messaging.set_control(text, boolean, text, text, interval)', 'EXECUTE') AS pauses,
           has_table_privilege('messaging.operator_job', 'INSERT') AS commands,
           has_function_privilege('messaging.raise_floors(regclass, uuid, integer)', 'EXECUTE') AS prunes`,
};
/** The audit is small, and without an index for it. A record of another epoch says nothing of this one's. */
const LAST_RAISE = {
  name: 'doctor-last-raise',
  text: `SELECT e.epoch, a.parameters ->> 'system_identifier' AS system_identifier,
           (a.parameters ->> 'timeline')::int AS timeline
         FROM messaging.log_epoch e LEFT JOIN LATERAL (
           SELECT parameters FROM messaging.operator_audit WHERE action = 'raise_epoch' ORDER BY id DESC LIMIT 1) a
           ON (a.parameters ->> 'epoch')::bigint = e.epoch`,
};

interface LastRaise {
  readonly epoch: number;
  /** Of the server that it was raised on; null where that is not on record. */
  readonly system_identifier: string | null;
  readonly timeline: number | null;
}

interface Server {
  readonly version: number;
  readonly version_text: string;
  readonly standby: boolean;
  readonly now: number;
  readonly fsync: string;
  readonly synchronous_commit: string;
  readonly full_page_writes: string;
  readonly standbys: string;
}

/** The server itself: its version, its clock, and whether what it says is committed is on a disk. */
export async function checkServer(pool: PostgresPool, now: () => number): Promise<Finding[]> {
  const before = now();
  const [server] = await pool.query<Server>(SERVER);
  const skewMs = Math.abs(server!.now - (before + now()) / 2);
  return [
    server!.version >= OLDEST_VERSION
      ? ok('postgres version', server!.version_text)
      : problem('postgres version', `${server!.version_text} is too old`, 'Use PostgreSQL 15 or newer.'),
    ...clock('postgres clock', skewMs),
    ...durability(server!),
  ];
}

export function clock(check: string, skewMs: number): Finding[] {
  const text = `${(skewMs / 1000).toFixed(1)} s from this machine's`;
  const remedy = 'Synchronise the clocks of all hosts (NTP): tokens, lag and retention go by them.';
  if (skewMs > SKEW_PROBLEM_MS) return [problem(check, text, remedy)];
  return [skewMs > SKEW_WARNING_MS ? warning(check, text, remedy) : ok(check, text)];
}

function durability({
  fsync,
  synchronous_commit: commit,
  full_page_writes: pages,
  standbys,
}: Server): Finding[] {
  const check = 'postgres durability';
  const findings: Finding[] = [];
  if (fsync === 'off') {
    findings.push(
      problem(check, 'fsync is off: a crash loses accepted messages', 'Set fsync = on, and restart.'),
    );
  }
  if (commit === 'off') {
    findings.push(
      problem(
        check,
        'synchronous_commit is off: a crash loses messages that were answered 201',
        'ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf();',
      ),
    );
  }
  if (pages === 'off') {
    findings.push(
      problem(check, 'full_page_writes is off: a crash may tear pages', 'Set full_page_writes = on.'),
    );
  }
  if (findings.length > 0) return findings;
  if (standbys === '') {
    return [
      warning(
        check,
        `synchronous_commit ${commit}, and no synchronous standby: a failover may lose the last messages`,
        'Name one in synchronous_standby_names, or run `sanctum epoch raise` after a failover.',
      ),
    ];
  }
  return [ok(check, `synchronous_commit ${commit}, standbys ${standbys}`)];
}

/** The schema against the migrations of this build: which were applied, and whether what they made is still there. */
export async function checkSchema(pool: PostgresPool): Promise<Finding[]> {
  const check = 'schema';
  const rows = await pool.query<{ name: string; checksum: string | null }>(MIGRATIONS);
  const known = new Map(rows.map(({ name, checksum }) => [name, checksum]));
  const missing = migrationNames.filter((name) => !known.has(name));
  if (missing.length > 0) {
    return [problem(check, `lacks ${missing.join(', ')}`, 'Apply what is missing with `sanctum migrate`.')];
  }
  const unknown = [...known.keys()].filter((name) => !migrationNames.includes(name));
  const findings: Finding[] = [];
  if (unknown.length > 0) {
    findings.push(
      warning(check, `is newer than this build: ${unknown.join(', ')}`, 'Use the build that is deployed.'),
    );
  }
  for (const name of migrationNames) {
    const stored = known.get(name) ?? null;
    if (stored !== null && stored !== (await checksumOf(name))) {
      findings.push(
        problem(
          check,
          `${name} was changed after it had been applied`,
          'Put the file back, and add a new one.',
        ),
      );
    }
  }
  // A newer build's migrations may have replaced what this one knows.
  if (unknown.length === 0) findings.push(...drift(check, await readSchemaObjects(pool)));
  return findings.length > 0
    ? findings
    : [ok(check, `${migrationNames.length} migrations, as this build has them`)];
}

/** What was changed by hand. What was added is the operator's own. */
function drift(check: string, there: Readonly<Record<string, string>>): Finding[] {
  const wanted = Object.entries(schemaObjects);
  const missing = wanted.filter(([object]) => there[object] === undefined);
  const changed = wanted.filter(
    ([object, fingerprint]) => there[object] !== undefined && there[object] !== fingerprint,
  );
  const remedy = 'Put it back as the migrations have it: they are not applied twice.';
  return [
    ...(missing.length === 0 ? [] : [problem(check, `lacks ${listed(missing)}`, remedy)]),
    ...(changed.length === 0
      ? []
      : [warning(check, `not as the migrations made it: ${listed(changed)}`, remedy)]),
  ];
}

const LISTED_MAX = 10;

function listed(objects: readonly (readonly [string, string])[]): string {
  const rest = objects.length - LISTED_MAX;
  const names = objects.slice(0, LISTED_MAX).map(([object]) => object);
  return `${names.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

async function checksumOf(name: string): Promise<string> {
  const migrate = import.meta.resolve('@sanctum/messaging/adapters/postgres/migrate');
  const text = await readFile(new URL(`./migrations/${name}.sql`, migrate), 'utf8');
  return createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex');
}

/** What this user may do of what the operator's commands do. */
export async function checkRights(pool: PostgresPool): Promise<Finding[]> {
  const [rights] = await pool.query<Record<string, boolean> & { role: string }>(RIGHTS);
  const { role, ...rest } = rights!;
  const lacking = Object.entries(rest).flatMap(([name, may]) => (may ? [] : [LACKING[name] ?? name]));
  const lacksGrant = Object.entries(rest).some(([name, may]) => !may && name !== 'commands');
  if (lacking.length === 0) return [ok('permissions', `the role ${role} may do all that operators do`)];
  return [
    warning(
      'permissions',
      `the role ${role} may not ${lacking.join(', ')}`,
      lacksGrant
        ? `GRANT sanctum_operator TO ${role};`
        : 'At a prompt it may; the commands write the record themselves: name the role that owns the schema.',
    ),
  ];
}

const LACKING: Readonly<Record<string, string>> = {
  reads: 'read the outbox',
  replays: 'send again',
  pauses: 'pause',
  commands: 'replay, requeue and prune by `sanctum`',
  prunes: 'prune',
};

/** A restore or a failover changes the server or begins a new timeline, and a log that was set back needs a new epoch. */
export async function checkTimeline(pool: PostgresPool): Promise<Finding[]> {
  const check = 'timeline and epoch';
  const [raise] = await pool.query<LastRaise>(LAST_RAISE);
  try {
    const server = await new PostgresOperations(pool).serverIdentity();
    const changed = changeSince(raise!, server);
    if (changed === undefined) return [ok(check, `timeline ${server.timeline}, epoch ${raise!.epoch}`)];
    const remedy = 'If commits may have been lost, stop the pods and run `sanctum epoch raise`.';
    return [warning(check, changed, remedy)];
  } catch {
    return [
      warning(
        check,
        'this role may not read the timeline',
        'GRANT pg_monitor to it, or ask as an administrator.',
      ),
    ];
  }
}

/** What became of the server since the epoch was raised, in words; undefined: nothing, as far as is known. */
function changeSince(raise: LastRaise, { system_identifier, timeline }: ServerIdentity): string | undefined {
  if (raise.epoch === 1 && timeline > 1) {
    return `the server is on timeline ${timeline}, so it was restored or failed over, and the epoch is still 1`;
  }
  if (raise.system_identifier !== null && raise.system_identifier !== system_identifier) {
    return `this is another server than the one on which the epoch was raised to ${raise.epoch}`;
  }
  if (raise.timeline !== null && timeline > raise.timeline) {
    return `the server is on timeline ${timeline}, so it was restored or failed over since the epoch was raised, on timeline ${raise.timeline}`;
  }
  return undefined;
}
