import { describe, expect, onTestFinished, test } from 'vitest';
import { PostgresOperations } from '../../../adapters/postgres/operations.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { readSchemaObjects } from '../../../adapters/postgres/read-schema-objects.ts';
import { schemaObjects } from '../../../adapters/postgres/schema-objects.ts';
import { execute } from '../../support/test-database.ts';
import { releases } from './releases.ts';

const FILE = '../../../adapters/postgres/schema-objects.ts';

function fileOf(objects: Record<string, string>): string {
  const lines = Object.entries(objects).map(([object, fingerprint]) => `  '${object}': '${fingerprint}',\n`);
  return [
    '/** What the migrations make, as readSchemaObjects() sees it. Written by its test, with `vitest -u`. */\n',
    'export const schemaObjects: Readonly<Record<string, string>> = {\n',
    ...lines,
    '};\n',
  ].join('');
}

function poolOf(url: string): PostgresPool {
  const pool = new PostgresPool({ url, applicationName: 'test', maxConnections: 1, callTimeoutMs: 10_000 });
  onTestFinished(() => pool.end());
  return pool;
}

describe.each(releases)('the objects of the schema on $name', (release) => {
  test('are those that are on record', async () => {
    const objects = await readSchemaObjects(poolOf(await release.migrated()));
    await expect(fileOf(objects)).toMatchFileSnapshot(FILE);
  });

  test('stay what they are while days come and go, whatever a session is set to', async () => {
    const url = await release.migrated();
    for (const setting of [
      'search_path = messaging, public',
      'intervalstyle = iso_8601',
      'quote_all_identifiers = on',
    ])
      await execute(
        url,
        `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ${setting}', current_database()); END $$`,
      );
    await execute(
      url,
      `DO $$ DECLARE day regclass; BEGIN
         FOR day IN SELECT inhrelid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                    WHERE inhparent = 'messaging.message_outbox_days'::regclass AND c.relname ~ '_p[0-9]+$' LOOP
           EXECUTE format('DROP TABLE %s', day);
         END LOOP;
       END $$;
       INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
         VALUES (gen_random_uuid(), gen_random_uuid(), 'Test', gen_random_uuid(), '{}')`,
    );
    const pool = poolOf(url);
    expect(await readSchemaObjects(pool)).toEqual(schemaObjects);
    expect(await new PostgresOperations(pool).ensurePartitions()).toBeGreaterThan(0);
    await execute(url, `CALL messaging.prune_message_outbox(INTERVAL '1 day')`);
    expect(await readSchemaObjects(pool)).toEqual(schemaObjects);
  });
});
