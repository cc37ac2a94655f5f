import { migrationNames } from '@sanctum/messaging/adapters/postgres/migrate';
import { PostgresOperatorLog } from '@sanctum/messaging/adapters/postgres/operator-log';
import { PostgresPool } from '@sanctum/messaging/adapters/postgres/pool';
import { emptyDatabase } from '@sanctum/messaging/tests/support/servers';
import { databaseUrl, execute } from '@sanctum/messaging/tests/support/test-database';
import type { AuditEntry } from '@sanctum/protocol/admin';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { runCli } from '../cli.ts';
import { TestShell, type TestShellOptions } from '../tests/test-shell.ts';

let url: string;
beforeAll(async () => {
  url = await emptyDatabase();
});

async function run(args: string[], options?: TestShellOptions): Promise<TestShell & { code: number }> {
  const shell = new TestShell({ env: { POSTGRES_URL: url }, ...options });
  return Object.assign(shell, { code: await runCli(args, shell) });
}

// One story, in order: an empty database, its schema, its epoch.

test('before the schema is there, epoch says how to make it', async () => {
  const { code, err } = await run(['epoch']);
  expect([code, err]).toEqual([1, expect.stringContaining('sanctum migrate')]);
});

test('migrate --status lists what is missing and changes nothing', async () => {
  const { values } = await run(['migrate', '--status', '--json']);
  expect(values).toEqual([{ applied: [], missing: migrationNames }]);
  const again = await run(['migrate', '--status']);
  expect(again.out).toContain(`missing  ${migrationNames[0]}`);
});

test('migrate adopts what was applied by hand, applies what is missing, and does nothing a second time', async () => {
  const [byHand = '', ...others] = migrationNames;
  await execute(url, await migrationText(byHand));
  const first = await run(['migrate', '--json']);
  expect(first.values).toEqual([{ applied: others, adopted: [byHand], present: [] }]);
  const second = await run(['migrate']);
  expect([second.code, second.out]).toEqual([0, expect.stringContaining('up to date')]);
  expect((await run(['migrate', '--status', '--json'])).values).toEqual([
    { applied: migrationNames, missing: [] },
  ]);
});

test('epoch shows, and raise raises above all that may have been used before a restore', async () => {
  expect((await run(['epoch'])).out).toBe('epoch 1\n');
  const startedAt = Math.floor(Date.now() / 1000);
  const first = await run(['epoch', 'raise', '--yes', '--json']);
  const { before, epoch } = first.values[0] as { before: number; epoch: number };
  expect(before).toBe(1);
  expect(epoch).toBeGreaterThanOrEqual(startedAt);
  const second = await run(['epoch', 'raise', '--yes']);
  const shown = (await run(['epoch', '--json'])).values[0] as { epoch: number };
  expect(shown.epoch).toBeGreaterThan(epoch);
  expect(second.out).toBe(`epoch raised from ${epoch} to ${shown.epoch}\n`);
  const by = expect.stringMatching(/^cli:./);
  const server = { system_identifier: expect.stringMatching(/^\d+$/), timeline: 1 };
  expect(await audit()).toMatchObject([
    { by, action: 'raise_epoch', parameters: { before: epoch, epoch: shown.epoch, ...server } },
    { by, action: 'raise_epoch', parameters: { before, epoch, ...server } },
  ]);
});

test('on a terminal raise asks, and only a yes is one', async () => {
  const { epoch } = (await run(['epoch', '--json'])).values[0] as { epoch: number };
  for (const stdin of ['', 'n\n', 'maybe\n']) {
    const { code, err } = await run(['epoch', 'raise'], { isTTY: true, stdin });
    expect([code, err]).toEqual([1, expect.stringContaining(`Raise the epoch ${epoch}?`)]);
  }
  expect((await run(['epoch', 'raise'], { isTTY: true, stdin: 'y\n' })).out).toContain(`from ${epoch} to`);
});

test('a schema that a newer build has made is refused', async () => {
  await execute(url, `INSERT INTO messaging.schema_migration (name) VALUES ('29990101_later')`);
  for (const args of [['migrate'], ['migrate', '--status']]) {
    const { code, err } = await run(args);
    expect([code, err]).toEqual([1, expect.stringContaining('it has migration 29990101_later')]);
  }
  await execute(url, `DELETE FROM messaging.schema_migration WHERE name = '29990101_later'`);
});

test('what the database refuses is told in words, without the password', async () => {
  const missing = await run(['migrate', '--postgres-url', databaseUrl(url, 'nowhere')]);
  expect([missing.code, missing.err]).toEqual([1, expect.stringContaining('no database "nowhere"')]);
  const away = await run(['epoch', '--postgres-url', 'postgres://u:pa55word@127.0.0.1:1/x']);
  expect([away.code, away.err]).toEqual([
    1,
    expect.stringContaining('no PostgreSQL to be had at 127.0.0.1:1'),
  ]);
  expect(away.err).not.toContain('pa55word');
});

test('two addresses that differ: the first wins, with a warning', async () => {
  const env = { POSTGRES_URL: url, DATABASE_URL: 'postgres://elsewhere' };
  const { code, err } = await run(['epoch'], { env });
  expect([code, err]).toEqual([0, expect.stringContaining('POSTGRES_URL is used')]);
});

/** The latest first. */
async function audit(): Promise<AuditEntry[]> {
  const pool = new PostgresPool({ url, applicationName: 'test', maxConnections: 1, callTimeoutMs: 5000 });
  try {
    return await new PostgresOperatorLog(pool).audit(Number.MAX_SAFE_INTEGER, 10);
  } finally {
    await pool.end();
  }
}

function migrationText(name: string): Promise<string> {
  const migrate = createRequire(import.meta.url).resolve('@sanctum/messaging/adapters/postgres/migrate');
  return readFile(path.join(path.dirname(migrate), 'migrations', `${name}.sql`), 'utf8');
}
