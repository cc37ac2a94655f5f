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
    refuseUnknown(known);
    const applied: string[] = [];
    const adopted: string[] = [];
    for (const name of migrationNames) {
      const text = await readFile(new URL(`${name}.sql`, FOLDER), 'utf8');
      const checksum = createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex');
      const stored = known.get(name)?.checksum;
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

/**
 * What `migrate` would apply; [] when the schema is up to date, or newer in a way that this build can run on.
 * @throws MigrationError when the schema is newer in another way
 */
export async function missingMigrations(url: string): Promise<string[]> {
  return withClient(url, async (client) => {
    const known = await registered(client);
    refuseUnknown(known);
    return migrationNames.filter((name) => !known.has(name));
  });
}

interface Registered {
  /** null: applied by hand. */
  readonly checksum: string | null;
  /** Builds that know the migration of this name run on the schema without knowing the registered one. */
  readonly builds_from: string | null;
}

async function registered(client: pg.Client): Promise<Map<string, Registered>> {
  const table = await client.query(`SELECT to_regclass('messaging.schema_migration') IS NOT NULL AS there`);
  if (!table.rows[0].there) return new Map();
  // The first schema has no column `builds_from`.
  const { rows } = await client.query<Registered & { name: string }>(
    `SELECT name, checksum, to_jsonb(m) ->> 'builds_from' AS builds_from FROM messaging.schema_migration m`,
  );
  return new Map(rows.map((row) => [row.name, row]));
}

/**
 * A newer build has migrated this database. Where its migrations say that this build can run on them, an old pod may
 * restart in the middle of a rollout, and a rollback works; in any other case nothing is touched.
 */
function refuseUnknown(known: ReadonlyMap<string, Registered>): void {
  const newest = migrationNames.at(-1)!;
  const unknown = [...known].filter(([name]) => !migrationNames.includes(name));
  const barring = unknown.filter(([, { builds_from }]) => builds_from === null || builds_from > newest);
  const isMissing = migrationNames.some((name) => !known.has(name));
  const [first] = isMissing ? unknown : barring;
  if (first === undefined) return;
  throw new MigrationError(
    `the database is newer than this build: it has migration ${first[0]}, and this build knows those up to ${newest}: use the build that made it, or a later one`,
  );
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
