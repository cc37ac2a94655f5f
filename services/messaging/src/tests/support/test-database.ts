import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** A database name that no other run uses, and that says what it is for. */
export function randomName(purpose: string): string {
  return `sanctum_test_${purpose}_${randomBytes(6).toString('hex')}`;
}

/** The same server and account, another database. */
export function databaseUrl(url: string, database: string): string {
  const other = new URL(url);
  other.pathname = `/${database}`;
  return other.href;
}

export async function createDatabase(url: string, name: string, template = 'template0'): Promise<void> {
  await execute(
    url,
    `CREATE DATABASE ${pg.escapeIdentifier(name)} TEMPLATE ${pg.escapeIdentifier(template)}`,
  );
}

/** Also where a test has left connections open. */
export async function dropDatabase(url: string, name: string): Promise<void> {
  await execute(url, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`);
}

/** Runs statements on a connection of their own. */
export async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/**
 * A pool for a test's own statements. Its `end` does not wait until the server has let its connections go: whoever
 * drops the database next may cut one of them still, which is no fault then.
 */
export function openPool(url: string, maxConnections = 10): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: maxConnections });
  pool.on('error', (error) => {
    if (!pool.ending) throw error;
  });
  return pool;
}
