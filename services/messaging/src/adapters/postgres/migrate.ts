import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { silentLog, type Log } from '../../log.ts';

const FOLDER = new URL('./migrations/', import.meta.url);
const CONNECT_TIMEOUT_MS = 10_000;
/** Another runner may be at work: a whole deployment starts at once. */
const LOCK_TIMEOUT_MS = 60_000;

/** The migrations that this build knows, in the order in which they are applied. */
export const migrationNames: readonly string[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.sql'))
  .map((file) => file.slice(0, -'.sql'.length))
  .sort();

/** What an operator must put right by hand; the message says what. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/**
 * Brings the schema up to date. Each file is one transaction of its own and runs as it stands, so what the
 * runner does is what `psql -f` does; a file that was applied by hand is adopted. It needs a connection of its
 * own: PgBouncer in transaction mode would give the session's lock away.
 */
export async function migrate(
  url: string,
  options: { readonly log?: Log } = {},
): Promise<{ applied: string[]; adopted: string[] }> {
  const log = options.log ?? silentLog;
  return withClient(url, async (client) => {
    // Not the key that the files take for their transactions: theirs keeps a hand at a prompt out, too.
    await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await client.query(`SELECT pg_advisory_lock(hashtextextended('sanctum messaging migrate', 0))`);
    await client.query('RESET lock_timeout');

    const known = await registered(client);
    const applied: string[] = [];
    const adopted: string[] = [];
    for (const name of migrationNames) {
      const text = await readFile(new URL(`${name}.sql`, FOLDER), 'utf8');
      const checksum = createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex');
      const stored = known.get(name);
      if (stored === undefined) {
        await client.query(text);
        applied.push(name);
        log.info('migration_applied', { name });
      } else if (stored === null) {
        adopted.push(name);
        log.info('migration_adopted', { name });
      } else if (stored !== checksum) {
        throw new MigrationError(
          `migration ${name} was changed after it had been applied: put the file back and add a new one`,
        );
      } else {
        continue;
      }
      await client.query('UPDATE messaging.schema_migration SET checksum = $2 WHERE name = $1', [
        name,
        checksum,
      ]);
    }
    return { applied, adopted };
  });
}

/** What `migrate` would apply; [] when the schema is up to date. */
export async function missingMigrations(url: string): Promise<string[]> {
  return withClient(url, async (client) => {
    const known = await registered(client);
    return migrationNames.filter((name) => !known.has(name));
  });
}

/** Registered files with their checksum; null: applied by hand. */
async function registered(client: pg.Client): Promise<Map<string, string | null>> {
  const table = await client.query(`SELECT to_regclass('messaging.schema_migration') IS NOT NULL AS there`);
  if (!table.rows[0].there) return new Map();
  const { rows } = await client.query('SELECT name, checksum FROM messaging.schema_migration');
  return new Map(rows.map((row) => [row.name, row.checksum]));
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'sanctum-migrate',
  });
  // A lost connection also rejects the query that is running; between queries the next one rejects.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
