import { ensurePostgres, type PostgresServer } from '@sanctum/local-servers';
import { migrate } from '../../../adapters/postgres/migrate.ts';
import { emptyDatabase, freshDatabase, ownPostgres, whenFileEnds } from '../../support/servers.ts';
import { createDatabase, databaseUrl, randomName } from '../../support/test-database.ts';

/** The oldest release that the SQL must run on. */
const OLDEST = 15;

/** A PostgreSQL to try the schema on. */
export interface Release {
  readonly name: string;
  /** URL of a database without a schema. */
  empty(): Promise<string>;
  /** URL of a migrated database. */
  migrated(): Promise<string>;
}

/** The release that all tests run on, and the oldest one where this machine has it or can fetch it. */
export const releases: readonly Release[] = [
  { name: 'the PostgreSQL of the tests', empty: emptyDatabase, migrated: freshDatabase },
  ...(await oldestRelease()),
];

async function oldestRelease(): Promise<Release[]> {
  try {
    await ensurePostgres({ progress: console.error, version: OLDEST });
  } catch (error) {
    console.warn(`The schema is not tried on PostgreSQL ${OLDEST}: ${String(error)}`);
    return [];
  }
  let server: Promise<PostgresServer> | undefined;
  const empty = async () => {
    if (server === undefined) {
      server = ownPostgres({ version: OLDEST });
      whenFileEnds(async () => (server = undefined));
    }
    const { url } = await server;
    const name = randomName('schema');
    await createDatabase(url, name);
    return databaseUrl(url, name);
  };
  const migrated = async () => {
    const url = await empty();
    await migrate(url);
    return url;
  };
  return [{ name: `PostgreSQL ${OLDEST}`, empty, migrated }];
}
