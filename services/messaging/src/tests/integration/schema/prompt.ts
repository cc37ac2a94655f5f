import pg from 'pg';
import { onTestFinished } from 'vitest';

/** A connection of the test's own, closed when it has finished; as another role with `role`. */
export async function prompt(url: string, options: { role?: string } = {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  // A test may end the server or the connection under it.
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(async () => {
    await client.end().catch(() => undefined);
  });
  if (options.role !== undefined) await client.query(`SET ROLE ${pg.escapeIdentifier(options.role)}`);
  return client;
}
