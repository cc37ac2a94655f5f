import { workspaceDir } from '@sanctum/local-servers';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../config.ts';
import { eventually } from '../../support/eventually.ts';
import { type Pod } from '../../support/pod.ts';
import { programOf } from '../../support/program.ts';
import { metricOf, Scene, STREAM } from '../../support/scene.ts';
import { psql } from '../schema/psql.ts';
import { type } from './on-call.ts';
import { commandsOfKind, runbookCommands, type RunbookCommand } from './runbook-commands.ts';

/*
 * Every SQL statement, redis-cli line, curl and sanctum command of the runbook, as it stands there, run against the
 * real thing: which has a message in every state that the runbook speaks of.
 */

const GROUP = 'messaging-hub';
const run = promisify(execFile);

let scene: Scene;
let pod: Pod;
let conversationId: string;
let messageId: string;

beforeAll(async () => {
  scene = await Scene.begin();
  pod = await scene.pod();
  conversationId = await scene.conversation(pod, ['alice', 'bob']);
  await scene.post(pod, 'alice', conversationId, 2);
  messageId = await scene.insert(conversationId, { ciphertext: 'x'.repeat(200_000) });
  await scene.redis.xadd(STREAM, '*', 'v', 'nonsense');
  await scene.sql("SELECT messaging.revoke('login', 'of-before-the-backup')");
  await eventually(async () => {
    expect(await statusOf(conversationId)).toEqual(['sent', 'sent', 'dead']);
    expect(await scene.sql('SELECT 1 FROM messaging.message_dlq')).toHaveLength(1);
  });
});
afterAll(() => scene.end());

async function statusOf(id: string): Promise<unknown[]> {
  const rows = await scene.sql(
    'SELECT status FROM messaging.message_outbox WHERE aggregate_id = $1 ORDER BY seq',
    [id],
  );
  return rows.map(({ status }) => status);
}

function local({ section }: RunbookCommand): boolean {
  return section.endsWith('Testing Locally');
}

describe('SQL, as the role sanctum_operator', () => {
  const statements = commandsOfKind('sql');

  test.each(statements)('line $line ($chapter)', async ({ text }) => {
    // Both updates find what they look for, whatever the statement before did.
    await scene.sql(
      "UPDATE messaging.message_outbox SET status = 'dead', last_error = 'too_large' WHERE message_id = $1",
      [messageId],
    );
    const statement = text.replaceAll('<conversation-id>', conversationId).replaceAll('<user-id>', 'carol');
    expect(statement).not.toMatch(/<[a-z-]+>/);
    const printed = await psql(scene.databaseUrl, '-c', 'SET ROLE sanctum_operator', '-c', statement);
    const [, ...rows] = printed.split('\n');
    expect(rows.join('\n')).toMatch(/^(?:.*\|.*|UPDATE [1-9]\d*|CALL)/);
  });
});

describe('redis-cli', () => {
  const lines = commandsOfKind('redis-cli').filter((command) => !local(command));

  test.each(lines)('line $line ($chapter): $text', async ({ text, asWritten }) => {
    const entryId = (await scene.redis.xadd(STREAM, '*', 'v', 'nonsense')) as string;
    await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
    // As after a consumer that read it and is gone.
    await scene.redis.xgroup('CREATECONSUMER', STREAM, GROUP, 'gone');
    await scene.redis.xclaim(STREAM, GROUP, 'gone', 0, entryId, 'FORCE', 'JUSTID');
    const printed = await type(text, { redisUrl: scene.redisUrl, entryId, messageId });
    if (text.includes('XACK')) {
      const answer = asWritten ? /^ERR Invalid stream ID specified as stream command argument/ : /^1$/m;
      expect(printed).toMatch(answer);
    } else if (text.includes('XLEN')) expect(Number(printed)).toBeGreaterThan(2);
    else expect(printed).toContain(text.includes('XPENDING') ? 'gone' : GROUP);
    await scene.redis.xack(STREAM, GROUP, entryId);
  });
});

describe('curl, on a pod', () => {
  test.each(commandsOfKind('curl'))('line $line ($chapter): $text', async ({ text }) => {
    const printed = await type(text, { httpUrl: pod.httpUrl });
    expect(printed).toMatch(
      text.includes('readyz') ? /"degraded":\[/ : /^(?:messaging|transport)_\w+(?:\{.*\})? \d/m,
    );
  });
});

/** A command, and what it says once it is done; what changes something asks first. */
const SAYS: readonly (readonly [string, RegExp, 'asks'?])[] = [
  ['epoch raise', /^epoch raised from \d+ to \d+/, 'asks'],
  ['prune', /^unusable stream entries forgotten: \d+$/m, 'asks'],
  ['revoke --user carol', /^revoked user carol at /, 'asks'],
  ['resume delivery', /^delivery {4}runs {2}since/m, 'asks'],
  // Whatever was dead, a chapter before has tried it again.
  ['dead-letters requeue --all', /^(?:done: \d+ of \d+|nothing to requeue)/m, 'asks'],
  ['dead-letters', /dead letters/],
  ['trace', /accepted/],
  ['migrate --status', /applied/],
];

describe('sanctum', () => {
  let bin: string;
  beforeAll(async () => {
    bin = await mkdtemp(path.join(tmpdir(), 'sanctum-test-'));
    const program = await programOf('packages/cli/src/main.ts');
    await writeFile(path.join(bin, 'sanctum'), `#!/bin/sh\nexec node '${program}' "$@"\n`, { mode: 0o755 });
  });
  afterAll(() => rm(bin, { recursive: true }));

  // A rollout needs a cluster and Prometheus: packages/cli has it go through both phases, and back, with the real kubectl.
  const lines = commandsOfKind('sanctum').filter(({ text }) => !text.startsWith('sanctum rollout'));

  test.each(lines)('line $line ($chapter): $text', async ({ text }) => {
    const stores = { POSTGRES_URL: scene.databaseUrl, REDIS_URL: scene.redisUrl };
    const at = { cwd: workspaceDir, env: { PATH: `${bin}:${process.env['PATH']}`, ...stores } };
    const typed = text
      .replace('<stage>', 'delivery')
      .replace('<message-id>', messageId)
      .replace('<user-id>', 'carol');
    // At the terminal, which a test has not: it then says what to add.
    const [, printed, asks] = SAYS.find(([some]) => typed.includes(some))!;
    if (asks) await expect(run('sh', ['-c', typed], at)).rejects.toThrow('Add --yes.');
    const { stdout } = await run('sh', ['-c', asks ? `${typed} --yes` : typed], at);
    expect(stdout).toMatch(printed);
  });
});

test('the pod refuses CONSUMER_NAME as `kubectl set env` would leave it, and takes what the manifest makes of it', () => {
  const [asWritten] = runbookCommands().filter(
    ({ kind, asWritten: kept, text }) => kind === 'kubectl' && kept && text.includes('CONSUMER_NAME'),
  );
  const value = /CONSUMER_NAME='(.+)'/.exec(asWritten!.text)![1]!;
  const env = {
    POSTGRES_URL: 'postgres://localhost/x',
    REDIS_URL: 'redis://localhost',
    JWT_ISSUER: 'i',
    JWT_AUDIENCE: 'a',
    JWT_SECRET: 'x'.repeat(32),
  };
  expect(() => loadConfig({ ...env, CONSUMER_NAME: value })).toThrow('CONSUMER_NAME');
  expect(
    loadConfig({ ...env, CONSUMER_NAME: value.replace('$(POD_NAME)', 'messaging-7c9-x2') }).consumer.name,
  ).toBe('messaging-7c9-x2');
});

test('the canary of phase 1 is not 5 %: the only enabled dispatcher moves every row, also those of other pods', async () => {
  const rollout = await Scene.begin();
  try {
    const canary = await rollout.pod({ env: { CONSUMER_ENABLED: 'false' } });
    const other = await rollout.pod({ env: { CONSUMER_ENABLED: 'false', DISPATCHER_ENABLED: 'false' } });
    const id = await rollout.conversation(other, ['alice']);
    await rollout.post(other, 'alice', id, 20);
    await eventually(async () => expect(await metricOf(canary, 'messaging_outbox_sent_total')).toBe(20));
  } finally {
    await rollout.end();
  }
});
