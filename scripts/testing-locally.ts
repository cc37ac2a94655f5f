/**
 * The last block of the runbook's chapter Testing Locally, verbatim: the realtime and dispatcher tests as a person
 * runs them, from services/messaging, against servers on the chapter's ports in place of its docker-compose line.
 * What comes before that block is followed by services/messaging/src/tests/integration/runbook.
 */
import { portIsFree, startPostgres, startRedis, workspaceDir } from '@sanctum/local-servers';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runbookCommands } from '../services/messaging/src/tests/integration/runbook/runbook-commands.ts';

const POSTGRES_PORT = 5433;
const REDIS_PORT = 6380;
/** As docker-compose.test.yml has it: each test file takes databases of its own. */
const REDIS_DATABASES = '1024';

for (const port of [POSTGRES_PORT, REDIS_PORT]) {
  if (!(await portIsFree(port)))
    throw new Error(`port ${port} is in use: stop what listens there and try again`);
}
const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-test-'));
const postgres = await startPostgres({
  dataDir: path.join(dir, 'postgres'),
  port: POSTGRES_PORT,
  database: 'messaging_test',
  durable: false,
});
const redis = await startRedis({
  dir: path.join(dir, 'redis'),
  port: REDIS_PORT,
  args: ['--databases', REDIS_DATABASES],
});
try {
  const commands = runbookCommands()
    .filter(({ chapter }) => chapter === 'Run E2E Integration Tests')
    .map(({ text }) => text);
  const {
    DATABASE_URL: _database,
    POSTGRES_URL: _postgres,
    REDIS_URL: _redis,
    PATH = '',
    ...env
  } = process.env;
  const bash = spawn('bash', ['-ec', ['cd services/messaging', ...commands].join('\n')], {
    cwd: workspaceDir,
    stdio: 'inherit',
    env: { ...env, PATH: `${path.join(workspaceDir, 'node_modules/.bin')}${path.delimiter}${PATH}` },
  });
  const [code] = (await once(bash, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
} finally {
  await Promise.all([postgres.stop(), redis.stop()]);
  await rm(dir, { recursive: true, force: true });
}
