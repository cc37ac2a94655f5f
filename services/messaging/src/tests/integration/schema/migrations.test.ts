import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PostgresConversationLog } from '../../../adapters/postgres/conversation-log.ts';
import { PostgresIntakeLog } from '../../../adapters/postgres/intake-log.ts';
import { migrate, migrationNames, missingMigrations } from '../../../adapters/postgres/migrate.ts';
import { PostgresOperations } from '../../../adapters/postgres/operations.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { request } from '../../contract/log-under-test.ts';
import { databaseUrl } from '../../support/test-database.ts';
import { prompt } from './prompt.ts';
import { migrationFile, psql } from './psql.ts';
import { releases } from './releases.ts';

const INSERT = `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
VALUES (gen_random_uuid(), gen_random_uuid(), 'MessageCreated', gen_random_uuid(), '{"ciphertext": "test"}');`;

describe.each(releases)('migrations on $name', (release) => {
  const registered = async (url: string) =>
    (
      await psql(
        url,
        '-c',
        'SELECT name FROM messaging.schema_migration WHERE checksum IS NOT NULL ORDER BY name',
      )
    ).split('\n');

  const register = (url: string, name: string, buildsFrom: string | null) =>
    psql(
      url,
      '-q',
      '-c',
      `INSERT INTO messaging.schema_migration (name, checksum, builds_from)
       VALUES ('${name}', 'x', ${buildsFrom === null ? 'NULL' : `'${buildsFrom}'`})`,
    );

  test('the runner applies every file once', async () => {
    const url = await release.empty();
    expect(await missingMigrations(url)).toEqual(migrationNames);
    expect(await migrate(url)).toEqual({ applied: migrationNames, adopted: [] });
    expect(await missingMigrations(url)).toEqual([]);
    expect(await migrate(url)).toEqual({ applied: [], adopted: [] });
    expect(await registered(url)).toEqual(migrationNames);
  });

  test('several runners at once do it once', async () => {
    const url = await release.empty();
    const results = await Promise.all(Array.from({ length: 4 }, () => migrate(url)));
    expect(results.flatMap(({ applied }) => applied)).toEqual(migrationNames);
  });

  test('every file can be applied by hand, twice, and is adopted', async () => {
    const url = await release.empty();
    for (const name of [...migrationNames, ...migrationNames])
      await psql(url, '-q', '-f', migrationFile(name));
    expect(await missingMigrations(url)).toEqual([]);
    expect(await migrate(url)).toEqual({ applied: [], adopted: migrationNames });
    expect(await migrate(url)).toEqual({ applied: [], adopted: [] });
    for (const name of migrationNames) await psql(url, '-q', '-f', migrationFile(name));
    expect(await registered(url)).toEqual(migrationNames);
  });

  test('the first file alone takes the INSERT of the runbook', async () => {
    const url = await release.empty();
    const [first, ...others] = migrationNames;
    await psql(url, '-q', '-f', migrationFile(first!));
    await psql(url, '-q', '-c', INSERT);
    expect(await psql(url, '-c', 'SELECT seq, status, attempts FROM messaging.message_outbox')).toBe(
      '1|pending|0',
    );
    expect(await migrate(url)).toEqual({ applied: others, adopted: [first] });
    await psql(url, '-q', '-c', INSERT);
  });

  test('a file that was changed after it had been applied is refused', async () => {
    const url = await release.migrated();
    await psql(
      url,
      '-q',
      '-c',
      `UPDATE messaging.schema_migration SET checksum = 'other' WHERE name = '${migrationNames[1]}'`,
    );
    await expect(migrate(url)).rejects.toThrow(`migration ${migrationNames[1]} was changed`);
  });

  test('a newer schema that nobody says this build can run on is refused, and left as it is', async () => {
    const url = await release.migrated();
    await register(url, '29990101_later', null);
    const refusal = 'the database is newer than this build: it has migration 29990101_later';
    await expect(migrate(url)).rejects.toThrow(refusal);
    await expect(missingMigrations(url)).rejects.toThrow(refusal);
  });

  test('a newer schema that says it serves this build does: an old pod restarts, a rollback works', async () => {
    const url = await release.migrated();
    await register(url, '29990101_later', migrationNames.at(-1)!);
    expect(await migrate(url)).toEqual({ applied: [], adopted: [] });
    expect(await missingMigrations(url)).toEqual([]);
    await register(url, '29990102_much_later', '29990101_later');
    await expect(migrate(url)).rejects.toThrow('it has migration 29990102_much_later');
  });

  test('a schema that lacks what this build knows and has what it does not is refused', async () => {
    const url = await release.migrated();
    await register(url, '29990101_later', migrationNames[0]!);
    await psql(
      url,
      '-q',
      '-c',
      `DELETE FROM messaging.schema_migration WHERE name = '${migrationNames.at(-1)}'`,
    );
    await expect(migrate(url)).rejects.toThrow('it has migration 29990101_later');
  });

  test('an account without privileges migrates its database and runs the service, once it may own intake', async () => {
    const admin = await release.empty();
    // The roles are there, as an administrator would have made them.
    await migrate(admin);
    const account = `sanctum_test_${randomUUID().slice(0, 8)}`;
    const client = await prompt(admin);
    await client.query(`CREATE ROLE ${account} LOGIN PASSWORD 'secret'; GRANT sanctum_intake TO ${account}`);
    await client.query(`CREATE DATABASE ${account} OWNER ${account}`);
    const asSuperuser = databaseUrl(admin, account);
    onTestFinished(async () => {
      const last = new pg.Client({ connectionString: admin });
      await last.connect();
      await last.query(`DROP DATABASE ${account} WITH (FORCE)`);
      await last.query(`DROP ROLE ${account}`);
      await last.end();
    });

    const url = new URL(asSuperuser);
    url.username = account;
    url.password = 'secret';
    expect(await migrate(url.href)).toEqual({ applied: migrationNames, adopted: [] });

    const pool = new PostgresPool({
      url: url.href,
      applicationName: 'test',
      maxConnections: 2,
      callTimeoutMs: 10_000,
    });
    onTestFinished(() => pool.end());
    const operations = new PostgresOperations(pool);
    const conversationId = randomUUID();
    await new PostgresConversationLog(pool).createConversation({
      conversationId,
      owner: 'olga',
      members: [],
    });
    const outcomes = await new PostgresIntakeLog(pool).append([request(conversationId, 'olga')], {
      waitForLock: false,
    });
    expect(outcomes).toMatchObject([{ kind: 'accepted', seq: 1 }]);
    expect(await operations.appendProbe({ conversationId, messageId: randomUUID() })).toMatchObject({
      seq: 2,
    });
    expect(await operations.ensurePartitions()).toBe(0);
    const raised = await operations.raiseEpoch('cli:olga');
    expect(raised.epoch).toBeGreaterThan(raised.before);
    expect(await operations.installationId()).toMatch(/^[0-9a-f-]{36}$/);
    await psql(url.href, '-q', '-c', `CALL messaging.prune_message_outbox(INTERVAL '7 days')`);
  });
});
