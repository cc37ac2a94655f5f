import { systemClock } from '@sanctum/messaging/clock';
import type { PodFigures } from '@sanctum/messaging/operations/pod-figures';
import { eventually } from '@sanctum/messaging/tests/support/eventually';
import { Scene } from '@sanctum/messaging/tests/support/scene';
import { refusingPostgres, standbyPostgres } from '@sanctum/messaging/tests/support/scripted-postgres';
import { ownPostgres, ownRedis } from '@sanctum/messaging/tests/support/servers';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../cli.ts';
import type { Finding } from '../doctor/finding.ts';
import { podFigures } from '@sanctum/messaging/tests/support/pod-figures';
import { TestShell } from '../tests/test-shell.ts';

/* Each thing that doctor looks for is made wrong for real, found with its remedy, and mended by that remedy. */

let scene: Scene;
let urls: { postgres: string; redis: string };
let restartPostgres: () => Promise<void>;

beforeAll(async () => {
  const [postgres, redis] = await Promise.all([ownPostgres(), ownRedis()]);
  restartPostgres = () => postgres.restart();
  urls = { postgres: postgres.url, redis: redis.url };
  scene = await Scene.begin({ databaseUrl: postgres.url, redisUrl: redis.url });
});
afterAll(() => scene.end());

interface Examined {
  readonly code: number;
  readonly findings: readonly Finding[];
}

async function run(args: string[], env: Record<string, string> = {}, aheadMs = 0) {
  const shell = new TestShell({ env: { POSTGRES_URL: urls.postgres, REDIS_URL: urls.redis, ...env } });
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const code = await runCli([...args, '--json'], Object.assign(shell, { clock }));
  return { code, value: shell.values[0] as { findings: Finding[] } };
}

async function doctor(env: Record<string, string> = {}, aheadMs = 0): Promise<Examined> {
  const { code, value } = await run(['doctor'], env, aheadMs);
  return { code, findings: value.findings };
}

function of({ findings }: Examined, check: string): string[] {
  return findings
    .filter((finding) => finding.check === check)
    .map(({ level, message, remedy }) => `${level}: ${message}${remedy === undefined ? '' : ` → ${remedy}`}`);
}

/** A pod lives, and keeps messages for so long. */
async function keepFor(outboxDays: number): Promise<void> {
  const figures = podFigures({ instance: randomUUID(), retention: { outboxDays, dlqDays: 30 } });
  await sql(
    `INSERT INTO messaging.pod_figures (instance, figures, seen_at) VALUES ($1, $2, now() + INTERVAL '1 hour')`,
    [figures.instance, JSON.stringify(figures)],
  );
}

const sql: Scene['sql'] = (text, values) => scene.sql(text, values);

describe('in this shell', () => {
  test('a wrong setting is named, and everything else is looked at all the same', async () => {
    const examined = await doctor({ DISPATCH_TICK_MS: 'fast', CONSUMER_NAME: '$(POD_NAME)' });
    expect(examined.code).toBe(1);
    expect(of(examined, 'settings')).toEqual([
      expect.stringMatching(/^problem: DISPATCH_TICK_MS: given "fast"; allowed: .* → See docs/),
      expect.stringMatching(/^problem: CONSUMER_NAME: /),
    ]);
    expect(of(examined, 'schema')).toEqual([expect.stringMatching(/^ok: /)]);
    expect(of(examined, 'redis version')).toEqual([expect.stringMatching(/^ok: /)]);
  });

  test('a clock that is off is found against both servers', async () => {
    const [behind, ahead] = [await doctor({}, -2000), await doctor({}, 60_000)];
    for (const check of ['postgres clock', 'redis clock']) {
      expect(of(behind, check)).toEqual([expect.stringMatching(/^warning: [12]\.\d s from .* → .*NTP/)]);
      expect(of(ahead, check)).toEqual([expect.stringMatching(/^problem: (59|60)\.\d s from .* → .*NTP/)]);
    }
  });

  test('without PostgreSQL Redis is looked at, and without Redis PostgreSQL', async () => {
    const without = await doctor({ POSTGRES_URL: 'postgres://127.0.0.1:1/none' });
    expect(of(without, 'postgres')).toEqual([
      'problem: no PostgreSQL to be had at 127.0.0.1:1 → Start it, or name another one with --postgres-url.',
    ]);
    expect(of(without, 'redis version')).toEqual([expect.stringMatching(/^ok: /)]);
    const other = await doctor({ REDIS_URL: 'redis://127.0.0.1:1' });
    expect(of(other, 'redis')).toEqual([expect.stringMatching(/^problem: .* → Is Redis running/)]);
    expect(of(other, 'schema')).toEqual([expect.stringMatching(/^ok: /)]);
  });

  test('where PostgreSQL refuses the session, that is a finding, and Redis is looked at', async () => {
    for (const [url, finding] of [
      [await refusingPostgres('53300'), /^problem: .* has no connection left .* → .*max_connections/],
      [await refusingPostgres('57P01'), /^problem: .* recovering or shutting down → Wait/],
      [await refusingPostgres('57P03'), /^problem: .* is starting, .* → Wait/],
      [await refusingPostgres('58030'), /^problem: postgres: 58030 in connect → Look at its log/],
      [await standbyPostgres(), /^problem: .* is a standby → Name the primary/],
    ] as const) {
      const examined = await doctor({ POSTGRES_URL: url });
      expect(examined.code).toBe(1);
      expect(of(examined, 'postgres')).toEqual([expect.stringMatching(finding)]);
      expect(of(examined, 'redis version')).toEqual([expect.stringMatching(/^ok: /)]);
    }
  });
});

describe('PostgreSQL', () => {
  test('answers before it is on a disk', async () => {
    await sql('ALTER DATABASE messaging_test SET synchronous_commit = off');
    const problems = of(await doctor(), 'postgres durability');
    expect(problems).toContainEqual(expect.stringMatching(/^problem: fsync is off: .* → Set fsync = on/));
    expect(problems).toContainEqual(expect.stringMatching(/synchronous_commit is off.*→ ALTER SYSTEM SET/));
    await sql('ALTER DATABASE messaging_test SET synchronous_commit = on');
    expect(of(await doctor(), 'postgres durability').join()).not.toContain('synchronous_commit is off');
  });

  test('refuses what operators do, until the role is given', async () => {
    const role = `reader_${randomUUID().slice(0, 8)}`;
    await sql(`CREATE ROLE ${role} LOGIN PASSWORD 'reader'`);
    const url = Object.assign(new URL(urls.postgres), { username: role, password: 'reader' }).href;
    await sql(`GRANT USAGE ON SCHEMA messaging TO ${role}`);
    await sql(`GRANT SELECT ON messaging.installation, messaging.pod_figures TO ${role}`);
    const [finding] = of(await doctor({ POSTGRES_URL: url }), 'permissions');
    expect(finding).toBe(
      `warning: the role ${role} may not read the outbox, send again, pause, replay, requeue and prune by \`sanctum\`, prune → GRANT sanctum_operator TO ${role};`,
    );
    await sql(`GRANT sanctum_operator TO ${role}`);
    const examined = await doctor({ POSTGRES_URL: url });
    expect(of(examined, 'permissions')).toEqual([
      expect.stringMatching(
        /^warning: .* may not replay, requeue and prune by .* the role that owns the schema/,
      ),
    ]);
    expect(of(await doctor(), 'permissions')).toEqual([expect.stringMatching(/^ok: /)]);
    expect(of(examined, 'timeline and epoch')).toEqual([expect.stringMatching(/^ok: timeline 1/)]);
    expect(examined.findings.filter(({ message }) => message.includes('could not be looked at'))).toEqual([]);
    // What docs/admin.md says this role is enough for.
    for (const args of [
      ['dead-letters'],
      ['partitions'],
      ['pause', 'consumer', '--reason', 'drill', '--yes'],
      ['resume', 'consumer', '--yes'],
      ['revoke', '--user', 'eve', '--yes'],
    ]) {
      expect([args, (await run(args, { POSTGRES_URL: url })).code]).toEqual([args, 0]);
    }
    const status = await run(['status', '--once'], { POSTGRES_URL: url });
    expect(status.value).toMatchObject({ stores: { outbox: { pending: 0 } } });
    await sql(`DROP OWNED BY ${role}`);
    await sql(`DROP ROLE ${role}`);
  });

  test('has another schema than this build', async () => {
    const last = '20250207_operator_controls';
    const [kept] = await sql<{ checksum: string }>(
      'SELECT checksum FROM messaging.schema_migration WHERE name = $1',
      [last],
    );
    const setChecksum = (checksum: string) =>
      sql('UPDATE messaging.schema_migration SET checksum = $1 WHERE name = $2', [checksum, last]);
    await setChecksum('0'.repeat(64));
    await sql(`INSERT INTO messaging.schema_migration (name) VALUES ('20991231_of_tomorrow')`);
    expect(of(await doctor(), 'schema')).toEqual([
      'warning: is newer than this build: 20991231_of_tomorrow → Use the build that is deployed.',
      `problem: ${last} was changed after it had been applied → Put the file back, and add a new one.`,
    ]);
    await setChecksum(kept!.checksum);
    // The way back of a name is not the way back of a schema: that a missing one can be applied, migrations.test.ts shows.
    await sql(`UPDATE messaging.schema_migration SET name = 'aside' WHERE name = $1`, [last]);
    await sql(`DELETE FROM messaging.schema_migration WHERE name = '20991231_of_tomorrow'`);
    expect(of(await doctor(), 'schema')).toEqual([
      `problem: lacks ${last} → Apply what is missing with \`sanctum migrate\`.`,
    ]);
    await sql(`UPDATE messaging.schema_migration SET name = $1 WHERE name = 'aside'`, [last]);
    expect(of(await doctor(), 'schema')).toEqual([expect.stringMatching(/^ok: /)]);
  });

  test('has a schema that somebody has changed by hand', async () => {
    const [index] = await sql<{ text: string }>(
      `SELECT pg_get_indexdef('messaging.operator_job_started'::regclass) AS text`,
    );
    const [revoke] = await sql<{ text: string }>(
      `SELECT pg_get_functiondef('messaging.revoke'::regproc) AS text`,
    );
    await sql('DROP INDEX messaging.operator_job_started');
    await sql(revoke!.text.replace('BEGIN', 'BEGIN\n      RETURN NULL;'));
    // What is added beside it is nobody else's business.
    await sql('CREATE INDEX of_their_own ON messaging.operator_job (started_by)');
    expect(of(await doctor(), 'schema')).toEqual([
      expect.stringMatching(/^problem: lacks index operator_job_started → Put it back/),
      expect.stringMatching(/^warning: not as the migrations made it: function revoke → Put it back/),
    ]);
    await sql(index!.text);
    await sql(revoke!.text);
    expect(of(await doctor(), 'schema')).toEqual([expect.stringMatching(/^ok: /)]);
  });

  test('runs out of partitions, and keeps some too long', async () => {
    const days = await sql<{ name: string }>(
      `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       WHERE i.inhparent = 'messaging.message_outbox_days'::regclass AND c.relname ~ '_p[0-9]+$'`,
    );
    for (const { name } of days) await sql(`DROP TABLE messaging.${name}`);
    await scene.insert(randomUUID());
    const empty = await doctor();
    expect(of(empty, 'partitions')).toEqual([
      expect.stringMatching(/^problem: only .* ahead → sanctum partitions ensure/),
      'warning: 1 rows had to go to the default one → sanctum partitions ensure',
    ]);
    expect((await run(['partitions', 'ensure', '--yes'])).code).toBe(0);
    expect(of(await doctor(), 'partitions')).toEqual([expect.stringMatching(/^ok: /)]);
    const [tomorrow] = await sql<{ name: string }>(
      `SELECT to_char((now() AT TIME ZONE 'UTC')::date + 1, '"message_outbox_p"YYYYMMDD') AS name`,
    );
    for (const { name } of days) if (name > tomorrow!.name) await sql(`DROP TABLE messaging.${name}`);
    expect(of(await doctor(), 'partitions')).toEqual([expect.stringMatching(/^problem: only .* ahead/)]);
    expect((await run(['partitions', 'ensure', '--yes'])).code).toBe(0);
    for (const day of ['01', '02', '03']) {
      await sql(`CREATE TABLE messaging.message_outbox_p202001${day} PARTITION OF messaging.message_outbox_days
                 FOR VALUES FROM ('2020-01-${day}') TO ('2020-01-${Number(day) + 1}')`);
    }
    // Nobody says for how long they are to be kept.
    expect(of(await doctor(), 'retention')).toEqual([]);
    expect((await run(['prune', '--yes'])).code).toBe(2);
    await keepFor(7);
    expect(of(await doctor(), 'retention')).toEqual([
      'warning: 3 partitions have expired and are still there → sanctum prune',
    ]);
    expect((await run(['prune', '--yes'])).code).toBe(0);
    expect(of(await doctor(), 'retention')).toEqual([]);
    await sql('DELETE FROM messaging.pod_figures');
  });

  test('keeps what the pods keep, whatever this shell is set to', async () => {
    const kept = async () =>
      (await sql(`SELECT FROM pg_class WHERE relname IN ('kept_day_20', 'kept_day_19')`)).length;
    for (const ago of [20, 19]) {
      await sql(`DO $$ BEGIN EXECUTE format(
        'CREATE TABLE messaging.kept_day_${ago} PARTITION OF messaging.message_outbox_days FOR VALUES FROM (%L) TO (%L)',
        (now() AT TIME ZONE 'UTC')::date - ${ago}, (now() AT TIME ZONE 'UTC')::date - ${ago - 1}); END $$`);
    }
    await keepFor(30);
    expect(of(await doctor(), 'retention')).toEqual([]);
    expect((await run(['prune', '--yes'])).code).toBe(0);
    expect((await run(['prune', '--outbox-days', '7', '--yes'])).code).toBe(2);
    const WEEK = { OUTBOX_RETENTION_DAYS: '7' };
    expect((await run(['prune', '--yes'], WEEK)).code).toBe(2);
    expect(of(await doctor(WEEK), 'retention')).toEqual([
      expect.stringMatching(/^warning: OUTBOX_RETENTION_DAYS is 7 in this shell, .* 30 days → Give all pods/),
    ]);
    expect(await kept()).toBe(2);
    expect((await run(['prune', '--outbox-days', '7', '--force', '--yes'])).code).toBe(0);
    expect(await kept()).toBe(0);
    await sql('DELETE FROM messaging.pod_figures');
  });

  test('has background jobs that fail, or that nobody does', async () => {
    await sql(`UPDATE messaging.background_jobs SET last_error = 'disk full' WHERE job = 'prune_dlq'`);
    await sql(
      `UPDATE messaging.background_jobs SET last_succeeded_at = now() - INTERVAL '4 hours', last_error = NULL
       WHERE job = 'partitions'`,
    );
    const examined = await doctor();
    expect(of(examined, 'job prune_dlq')).toEqual([
      'problem: failed last: disk full → See the logs of the pods for `background_job_failed`.',
    ]);
    expect(of(examined, 'job partitions')).toEqual([
      expect.stringMatching(/^warning: last done 20.* → Is any pod running/),
    ]);
  });

  test('holds rows that wait, rows that died, and a pause that was forgotten', async () => {
    await sql(`UPDATE messaging.message_outbox SET occurred_at = now() - INTERVAL '1 minute'`);
    const dead = await scene.insert(randomUUID());
    await sql(
      `UPDATE messaging.message_outbox SET status = 'dead', last_error = 'refused' WHERE message_id = $1`,
      [dead],
    );
    expect((await run(['pause', 'consumer', '--reason', 'drill', '--yes'])).code).toBe(0);
    expect(of(await doctor(), 'controls')).toEqual([expect.stringMatching(/^warning: consumer is paused/)]);
    await sql(
      `UPDATE messaging.control SET changed_at = now() - INTERVAL '40 minutes' WHERE stage = 'consumer'`,
    );
    const examined = await doctor();
    expect(of(examined, 'outbox')).toEqual([
      expect.stringMatching(/^problem: 1 rows wait, the oldest for .* → See `sanctum status`/),
    ]);
    expect(of(examined, 'dead letters')).toEqual([
      expect.stringMatching(/^warning: 1 dead rows → .*requeue/),
    ]);
    expect(of(examined, 'controls')).toEqual([
      expect.stringMatching(/^problem: consumer is paused .*: drill → .*sanctum resume consumer$/),
    ]);
    expect((await run(['resume', 'consumer', '--yes'])).code).toBe(0);
    expect(of(await doctor(), 'controls')).toEqual([]);
    // Whoever pauses the dispatcher means them to wait.
    expect((await run(['pause', 'dispatcher', '--reason', 'drill', '--yes'])).code).toBe(0);
    expect(of(await doctor(), 'outbox')).toEqual(['ok: 1 rows wait']);
    expect((await run(['resume', 'dispatcher', '--yes'])).code).toBe(0);
  });
});

describe('Redis', () => {
  const set = (name: string, value: string) => scene.redis.config('SET', name, value);

  test('forgets, evicts, or is full', async () => {
    await set('save', '');
    await set('appendonly', 'no');
    await set('maxmemory-policy', 'allkeys-lru');
    await set('maxmemory', '1mb');
    const examined = await doctor();
    expect(of(examined, 'redis persistence')).toEqual([
      expect.stringMatching(/^warning: neither .* → CONFIG SET appendonly yes/),
    ]);
    expect(of(examined, 'redis eviction')).toEqual([
      expect.stringMatching(
        /^problem: maxmemory-policy is allkeys-lru: .* → CONFIG SET maxmemory-policy noevict/,
      ),
    ]);
    expect(of(examined, 'redis memory')).toEqual([
      expect.stringMatching(/^problem: \d+ % of .* → Raise maxmem/),
    ]);
    await set('maxmemory', '0');
    await set('maxmemory-policy', 'noeviction');
    await set('appendonly', 'yes');
    const mended = await doctor();
    for (const check of ['redis persistence', 'redis eviction'])
      expect(of(mended, check)).toEqual([expect.stringMatching(/^ok: /)]);
    expect(of(mended, 'redis memory')).toEqual([]);
  });

  test('is full, and no write may trim the stream', async () => {
    const { redis } = scene;
    const entries = redis.pipeline();
    for (let i = 0; i < 2000; i += 1) entries.xadd('sanctum:messages', '*', 'v', 'x'.repeat(10_000));
    await entries.exec();
    await set('maxmemory', '15mb');
    const examined = await doctor();
    expect(of(examined, 'redis writes')).toEqual([
      expect.stringMatching(/^problem: Redis refuses them \(OOM\) → .*XTRIM <stream> MAXLEN '~' <n>/),
    ]);
    await redis.xtrim('sanctum:messages', 'MAXLEN', '~', 500);
    const mended = await doctor();
    for (const check of ['redis writes', 'redis memory']) expect(of(mended, check)).toEqual([]);
    await set('maxmemory', '0');
    await redis.del('sanctum:messages');
  });

  test('refuses every write', async () => {
    await set('min-replicas-to-write', '1');
    expect(of(await doctor(), 'redis writes')).toEqual([
      expect.stringMatching(/^problem: Redis refuses them \(NOREPLICAS\) → .*min-replicas-to-write/),
    ]);
    await set('min-replicas-to-write', '0');
    expect(of(await doctor(), 'redis writes')).toEqual([]);
  });

  test('has no stream, a stream that nobody reads, and entries of consumers that are gone', async () => {
    const { redis } = scene;
    expect(of(await doctor(), 'consumer group')).toEqual([
      expect.stringMatching(/^warning: there is no stream/),
    ]);
    await redis.xadd('sanctum:messages', '*', 'v', '1');
    expect(of(await doctor(), 'consumer group')).toEqual([
      expect.stringMatching(/^warning: sanctum:messages has no group messaging-hub: .* → .*CONSUMER_ENABLED/),
    ]);
    await redis.xgroup('CREATE', 'sanctum:messages', 'messaging-hub', '0');
    await redis.xreadgroup('GROUP', 'messaging-hub', 'gone', 'STREAMS', 'sanctum:messages', '>');
    expect(of(await doctor(), 'consumer group')).toEqual([
      expect.stringMatching(/^warning: 1 entries of .* consumers that are gone → .*CONSUMER_CLAIM_IDLE_MS/),
    ]);
    await redis.del('sanctum:messages');
  });

  test('has entries that nobody reads, and that is meant only while the consumer is paused', async () => {
    const { redis } = scene;
    const unread =
      /^problem: the oldest entry that messaging-hub has not read waits for 5m → .*CONSUMER_ENABLED/;
    const pods = async (figures: Partial<PodFigures>) => {
      await sql('DELETE FROM messaging.pod_figures');
      await sql('INSERT INTO messaging.pod_figures (instance, figures) VALUES ($1, $2)', [
        randomUUID(),
        JSON.stringify(podFigures(figures)),
      ]);
    };
    await redis.xadd('sanctum:messages', `${Date.now() - 300_000}-0`, 'v', '1');
    // Only consumers make the group.
    await pods({ consumer: false });
    const off = await doctor();
    expect(of(off, 'consumer group')).toEqual([
      expect.stringMatching(unread),
      expect.stringMatching(/^warning: sanctum:messages has no group/),
    ]);
    expect(of(off, 'pods')).toContainEqual(
      expect.stringMatching(/^warning: none that lives has CONSUMER_ENABLED=true: .* → Unless that is meant/),
    );
    await redis.xgroup('CREATE', 'sanctum:messages', 'messaging-hub', '0');
    await pods({});
    expect(of(await doctor(), 'consumer group')).toEqual([
      expect.stringMatching(unread),
      expect.stringMatching(/^ok: /),
    ]);
    await pods({ paused: ['consumer'] });
    expect(of(await doctor(), 'consumer group')).toEqual([expect.stringMatching(/^ok: /)]);
    await sql('DELETE FROM messaging.pod_figures');
    await redis.del('sanctum:messages');
  });
});

describe('pods', () => {
  test('none; then two of one name and two versions; then one that fell silent', async () => {
    expect(of(await doctor(), 'pods')).toEqual([expect.stringMatching(/^problem: no pod .* → Start one/)]);
    const pod = await scene.pod({ env: { CONSUMER_NAME: 'a' } });
    const { figures } = await eventually(async () => {
      const [row] = await sql<{ figures: PodFigures }>('SELECT figures FROM messaging.pod_figures');
      expect(row).toBeDefined();
      return row!;
    });
    const twin = {
      ...figures,
      instance: randomUUID(),
      version: '0.0.9',
      reasons: ['redis_unreachable'],
    };
    await sql('INSERT INTO messaging.pod_figures (instance, figures) VALUES ($1, $2)', [
      twin.instance,
      JSON.stringify(twin),
    ]);
    const examined = await doctor();
    expect(of(examined, 'pods')).toEqual([
      'ok: 2 alive: a, a',
      'problem: several pods are named a → Give each its own CONSUMER_NAME, such as $(POD_NAME).',
      'problem: a: redis_unreachable → See its `/readyz` and its log.',
    ]);
    expect(of(examined, 'versions')).toEqual([expect.stringMatching(/^warning: several at once: .*0\.0\.9/)]);
    await sql(`UPDATE messaging.pod_figures SET seen_at = now() - INTERVAL '1 minute' WHERE instance = $1`, [
      twin.instance,
    ]);
    expect(of(await doctor(), 'pods')).toContainEqual(
      expect.stringMatching(/^warning: ended without a word in the last hour: a → Look at their last log/),
    );
    await pod.stop();
  });
});

// The last one: the test's own connection ends with the restart.
test('PostgreSQL was restored, and the epoch was not raised', async () => {
  expect(of(await doctor(), 'timeline and epoch')).toEqual(['ok: timeline 1, epoch 1']);
  // As a dump that was restored elsewhere brings it along.
  await sql(`INSERT INTO messaging.operator_audit (operator, action, target, parameters)
             VALUES ('cli:ola', 'raise_epoch', 'log', '{"epoch": 1, "system_identifier": "4711", "timeline": 1}')`);
  expect(of(await doctor(), 'timeline and epoch')).toEqual([
    expect.stringMatching(/^warning: this is another server than the one .* to 1 → .*`sanctum epoch raise`/),
  ]);
  await sql(`DELETE FROM messaging.operator_audit WHERE action = 'raise_epoch'`);
  const [place] = await sql<{ folder: string }>(`SELECT current_setting('data_directory') AS folder`);
  await sql(`ALTER SYSTEM SET restore_command = 'false'`);
  // The second time an epoch that was raised once is no excuse.
  for (const [timeline, since] of [
    [2, 'and the epoch is still 1'],
    [3, 'since the epoch was raised, on timeline 2'],
  ] as const) {
    // What a restore and a failover both do: recovery ends, and a new timeline begins.
    await writeFile(path.join(place!.folder, 'recovery.signal'), '');
    await restartPostgres();
    // It is a standby until recovery has ended.
    await eventually(async () => {
      const [finding] = of(await doctor(), 'timeline and epoch');
      expect(finding).toMatch(/^warning: .* → .*`sanctum epoch raise`/);
      expect(finding).toContain(`the server is on timeline ${timeline},`);
      expect(finding).toContain(since);
    });
    expect((await run(['epoch', 'raise', '--yes'])).code).toBe(0);
    expect(of(await doctor(), 'timeline and epoch')).toEqual([
      expect.stringMatching(new RegExp(`^ok: timeline ${timeline}, epoch [1-9]\\d+$`)),
    ]);
  }
});
