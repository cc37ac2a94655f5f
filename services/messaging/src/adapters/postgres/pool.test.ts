import { expect, onTestFinished, test } from 'vitest';
import { standbyPostgres } from '../../tests/support/scripted-postgres.ts';
import { PostgresPool } from './pool.ts';

test('a standby is refused: unavailable, to be tried again, and told from a server that is away', async () => {
  const url = await standbyPostgres();
  const pool = new PostgresPool({ url, applicationName: 'test', maxConnections: 1, callTimeoutMs: 5000 });
  onTestFinished(() => pool.end());
  await expect(pool.query({ name: 'any', text: 'SELECT 1' })).rejects.toMatchObject({
    name: 'Fault',
    code: 'unavailable',
    retryable: true,
    sqlState: '25006',
    message: expect.stringContaining('this server is a standby'),
  });
});
