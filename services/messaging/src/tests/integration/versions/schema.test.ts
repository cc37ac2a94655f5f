import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrationNames } from '../../../adapters/postgres/migrate.ts';
import { migrationFile } from '../schema/psql.ts';
import { emptyDatabase, freshDatabase } from '../../support/servers.ts';

/*
 * Pods of version 0.1.0 on the newest schema, as in every rollout and after every rollback. What 0.1.0 says to
 * PostgreSQL was written down once and does not change with the code. See docs/versions.md.
 */

const MIGRATIONS_OF_0_1_0 = [
  '20250203_message_outbox',
  '20250204_conversation_members',
  '20250205_dead_letters_and_retention',
];
const statements = JSON.parse(
  readFileSync(new URL('statements-of-0.1.0.json', import.meta.url), 'utf8'),
) as Record<string, string>;

let old: pg.Client;
let newest: pg.Client;

beforeAll(async () => {
  [old, newest] = await Promise.all([connected(emptyDatabase()), connected(freshDatabase())]);
  for (const name of MIGRATIONS_OF_0_1_0) await old.query(readFileSync(migrationFile(name), 'utf8'));
});
afterAll(() => Promise.all([old, newest].map((client) => client.end())));

async function connected(url: Promise<string>): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: await url });
  await client.connect();
  return client;
}

it('every migration since says that builds of 0.1.0 run on it', async () => {
  expect(migrationNames.slice(0, MIGRATIONS_OF_0_1_0.length)).toEqual(MIGRATIONS_OF_0_1_0);
  const since = migrationNames.slice(MIGRATIONS_OF_0_1_0.length);
  expect(since.length).toBeGreaterThan(0);
  const { rows } = await newest.query<{ name: string }>(
    'SELECT name FROM messaging.schema_migration WHERE builds_from <= $1 ORDER BY name',
    [MIGRATIONS_OF_0_1_0.at(-1)],
  );
  expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining(since));
});

describe('statements of 0.1.0', () => {
  it.each(Object.entries(statements))('%s is understood by the newest schema', async (_, text) => {
    await newest.query(`PREPARE statement AS ${text}`);
    await newest.query('DEALLOCATE statement');
  });

  it('a statement about what is not there is not understood, so the comparison can fail', async () => {
    const text = statements['read-epoch']!.replace('epoch', 'era');
    await expect(newest.query(`PREPARE statement AS ${text}`)).rejects.toThrow('era');
  });
});

/** Rows as one text each. */
async function texts(client: pg.Client, sql: string): Promise<string[]> {
  const { rows } = await client.query<{ text: string }>(sql);
  return rows.map(({ text }) => text);
}

describe('what 0.1.0 has, the newest schema has as well', () => {
  it.each([
    [
      'columns, with their types',
      `SELECT format('%s.%s %s', table_name, column_name, data_type) AS text FROM information_schema.columns
       WHERE table_schema = 'messaging' AND table_name !~ '_[0-9]{8}$'`,
    ],
    [
      'functions and procedures, with their arguments and results',
      `SELECT format('%s(%s) %s', p.proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid))
         AS text
       FROM pg_proc p WHERE p.pronamespace = 'messaging'::regnamespace`,
    ],
    [
      "an operator's rights",
      `SELECT format('%s %s.%s', privilege_type, table_name, column_name) AS text
       FROM information_schema.column_privileges
       WHERE grantee = 'sanctum_operator' AND table_name !~ '_[0-9]{8}$'`,
    ],
  ])('%s', async (_, sql) => {
    const [before, after] = await Promise.all([texts(old, sql), texts(newest, sql)]);
    expect(before.length).toBeGreaterThan(0);
    expect(before.filter((text) => !after.includes(text))).toEqual([]);
  });

  it('and asks for nothing more: a new column of an old table may be left out', async () => {
    const required = `
      SELECT format('%s.%s', c.table_name, c.column_name) AS text FROM information_schema.columns c
      WHERE c.table_schema = 'messaging' AND c.table_name !~ '_[0-9]{8}$'
        AND c.is_nullable = 'NO' AND c.column_default IS NULL AND c.is_identity = 'NO' AND c.is_generated = 'NEVER'`;
    const tables = await texts(old, `SELECT tablename AS text FROM pg_tables WHERE schemaname = 'messaging'`);
    const [before, after] = await Promise.all([texts(old, required), texts(newest, required)]);
    const added = after.filter((text) => !before.includes(text));
    expect(added.filter((text) => tables.includes(text.split('.')[0]!))).toEqual([]);
  });
});
