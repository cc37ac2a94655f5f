import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  ensurePostgres,
  ensurePostgresTool,
  type PostgresServer,
  startPostgres,
  workspaceDir,
} from '@sanctum/local-servers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from '../../../adapters/postgres/migrate.ts';
import { databaseUrl, execute } from '../../support/test-database.ts';
import { psql } from '../schema/psql.ts';

/*
 * A dump holds no roles. With those that docs/operations.md makes, a server that has never seen the service takes one,
 * and everybody may do there what they could before.
 */

const exec = promisify(execFile);
const progress = () => undefined;
const PASSWORD = 'secret';
/** Of the page: the service's own role, and the database's name as well; an operator's login. */
const SERVICE = 'messaging';
const OPERATOR = 'alice';

let folder: string;
let servers: PostgresServer[];
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sanctum-restore-'));
  // The server may run as another account.
  await chmod(folder, 0o777);
  const binaries = await ensurePostgres({ progress, version: 15 });
  servers = await Promise.all(
    ['old', 'new'].map((name) =>
      startPostgres({ dataDir: path.join(folder, name), binaries, durable: false }),
    ),
  );
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await rm(folder, { recursive: true, force: true });
});

function as(role: string, server: PostgresServer): string {
  const url = new URL(databaseUrl(server.url, SERVICE));
  url.username = role;
  url.password = PASSWORD;
  return url.href;
}

/** The statements of the chapter Restore, with a password where it has a place for one. */
async function rolesOfThePage(): Promise<string> {
  const page = await readFile(path.join(workspaceDir, 'docs/operations.md'), 'utf8');
  const [, chapter] = /^### Restore$([^]*?)^##/m.exec(page)!;
  const [, statements] = /^ *```sql\n([^]*?)```/m.exec(chapter!)!;
  return statements!.replaceAll('…', PASSWORD);
}

test('the roles of the page are all that a dump needs of a new server', async () => {
  const [before, after] = servers as [PostgresServer, PostgresServer];
  // As an installation is made: the service's role makes the other two with its migrations.
  await execute(before.url, `CREATE ROLE ${SERVICE} LOGIN CREATEROLE PASSWORD '${PASSWORD}'`);
  await execute(before.url, `CREATE DATABASE ${SERVICE} OWNER ${SERVICE}`);
  await migrate(as(SERVICE, before));
  const insert = `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
    VALUES (gen_random_uuid(), gen_random_uuid(), 'MessageCreated', '${randomUUID()}', '{"ciphertext": "test"}')`;
  await execute(as(SERVICE, before), insert);
  const dump = path.join(folder, 'messaging.dump');
  const [dumping, restoring] = await Promise.all([
    ensurePostgresTool('pg_dump', { progress }),
    ensurePostgresTool('pg_restore', { progress }),
  ]);
  await exec(dumping, ['--format=custom', `--file=${dump}`, `--dbname=${databaseUrl(before.url, SERVICE)}`]);

  await execute(after.url, await rolesOfThePage());
  await execute(after.url, `CREATE DATABASE ${SERVICE} OWNER ${SERVICE}`);
  const restored = databaseUrl(after.url, SERVICE);
  await exec(restoring, ['--exit-on-error', '--single-transaction', `--dbname=${restored}`, dump]);

  expect(await migrate(as(SERVICE, after))).toEqual({ applied: [], adopted: [] });
  await execute(as(SERVICE, after), insert);
  // Only the owner may, as with a migration that replaces the function.
  await execute(as(SERVICE, after), `COMMENT ON FUNCTION messaging.append_messages IS 'restored'`);
  expect(await psql(as(OPERATOR, after), '-c', 'SELECT count(*) FROM messaging.message_outbox')).toBe('2');
});
