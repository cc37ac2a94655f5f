import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFile, chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  ensurePostgres,
  ensurePostgresTool,
  type PostgresServer,
  startPostgres,
} from '@sanctum/local-servers';
import { PAYLOAD_MAX_BYTES_DEFAULT, tooLargeAbove } from '@sanctum/protocol';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, type TestContext } from 'vitest';
import { migrate } from '../../../adapters/postgres/migrate.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { readSchemaObjects } from '../../../adapters/postgres/read-schema-objects.ts';
import { schemaObjects } from '../../../adapters/postgres/schema-objects.ts';
import { checkHistory } from '../../history/check-history.ts';
import { readFinalState } from '../../history/read-final-state.ts';
import { eventually } from '../../support/eventually.ts';
import { programOf } from '../../support/program.ts';
import { freshRedis } from '../../support/servers.ts';
import { createDatabase, databaseUrl, randomName } from '../../support/test-database.ts';
import { headsIn, RestoreScene } from './restore-scene.ts';

const exec = promisify(execFile);
/** The client's programs, whose dumps a server of the same release takes. */
const RELEASE = 15;
const progress = () => undefined;

/** A way to get a log back that had been saved at some moment. */
interface Backup {
  /** Called under traffic: what is committed before the call is saved. */
  save(): Promise<void>;
  /** Called when all pods are stopped. Returns the URL of the restored database. */
  restore(): Promise<string>;
}

/** docs/operations.md, Backup: a dump. */
function dump(url: string): Backup {
  const file = path.join(folder, `${randomUUID()}.dump`);
  return {
    async save() {
      const program = await ensurePostgresTool('pg_dump', { progress });
      await exec(program, ['--format=custom', `--file=${file}`, `--dbname=${url}`]);
    },
    async restore() {
      const restored = await emptyDatabase();
      const program = await ensurePostgresTool('pg_restore', { progress });
      await exec(program, ['--exit-on-error', '--single-transaction', `--dbname=${restored}`, file]);
      return restored;
    },
  };
}

/** docs/operations.md, Backup: a base backup and the archived log, up to a point in time. */
function pointInTime(url: string): Backup {
  const dataDir = path.join(folder, 'base');
  let target = '';
  const query = async (sql: string) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<{ value: string }>(sql)).rows[0]!.value;
    } finally {
      await client.end();
    }
  };
  return {
    async save() {
      const program = await ensurePostgresTool('pg_basebackup', { progress });
      await exec(program, [`--pgdata=${dataDir}`, '--checkpoint=fast', `--dbname=${url}`]);
      target = await query('SELECT clock_timestamp()::text AS value');
    },
    async restore() {
      const last = await query('SELECT pg_walfile_name(pg_switch_wal()) AS value');
      await eventually(async () =>
        expect(await query('SELECT last_archived_wal AS value FROM pg_stat_archiver')).toBe(last),
      );
      await server.stop();
      await writeFile(path.join(dataDir, 'recovery.signal'), '');
      await appendFile(
        path.join(dataDir, 'postgresql.auto.conf'),
        [
          `restore_command = 'cp "${path.join(folder, 'archive')}/%f" "%p"'`,
          `recovery_target_time = '${target}'`,
          `recovery_target_action = 'promote'`,
          '',
        ].join('\n'),
      );
      const restored = await startPostgres({
        dataDir,
        binaries: await ensurePostgres({ progress, version: RELEASE }),
        durable: false,
      });
      onTestFinished(() => restored.stop());
      const database = new URL(url);
      database.port = String(restored.port);
      const client = new pg.Client({ connectionString: database.href });
      await client.connect();
      await eventually(async () => {
        const { rows } = await client.query('SELECT pg_is_in_recovery() AS recovering');
        expect(rows).toEqual([{ recovering: false }]);
      });
      await client.end();
      return database.href;
    },
  };
}

let server: PostgresServer;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sanctum-restore-'));
  const archive = path.join(folder, 'archive');
  await mkdir(archive);
  // The server may run as another account.
  for (const each of [folder, archive]) await chmod(each, 0o777);
  server = await startPostgres({
    dataDir: path.join(folder, 'postgres'),
    binaries: await ensurePostgres({ progress, version: RELEASE }),
    database: 'messaging_test',
    durable: false,
    settings: { archive_mode: 'on', archive_command: `cp "%p" "${archive}/%f"` },
  });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function emptyDatabase(): Promise<string> {
  const name = randomName('restore');
  await createDatabase(server.url, name);
  return databaseUrl(server.url, name);
}

/** What the migrations made is there, word for word: `sanctum doctor` finds nothing to say of it. */
async function assertSchemaIsWhole(url: string): Promise<void> {
  const pool = new PostgresPool({ url, applicationName: 'test', maxConnections: 1, callTimeoutMs: 10_000 });
  try {
    expect(await readSchemaObjects(pool)).toEqual(schemaObjects);
  } finally {
    await pool.end();
  }
}

/** The procedure, from the backup to everybody at the head again; `raise`: with `sanctum epoch raise`. */
async function tellTheStory(
  context: TestContext,
  backupOf: (url: string) => Backup,
  { raise }: { raise: boolean },
) {
  const before = await emptyDatabase();
  await migrate(before);
  const scene = new RestoreScene(await freshRedis(), context);
  const { history } = scene;
  await scene.startPod(before);
  for (let n = 0; n < 3; n += 1) await scene.createConversation();
  await scene.connectAll();
  await scene.settle(await scene.post(12));

  const backup = backupOf(before);
  await Promise.all([backup.save(), scene.post(20)]);
  // One has seen nothing of what is going to be lost.
  await scene.devices[2]!.client.close();
  await scene.createConversation();
  await scene.settle(await scene.post(21), scene.devices.slice(0, 2));
  await scene.stopPod();
  const cursors = scene.devices.map(({ client }) => client.cursors());

  const url = await backup.restore();
  await assertSchemaIsWhole(url);
  const heads = await headsIn(url);
  let epoch = 1;
  if (raise) {
    history.append({ type: 'operation', phase: 'invoke', operation: 'restore', kind: 'epoch' });
    const sanctum = await programOf('packages/cli/src/main.ts');
    const args = [sanctum, 'epoch', 'raise', '--yes', '--json', '--postgres-url', url];
    ({ epoch } = JSON.parse((await exec(process.execPath, args)).stdout) as { epoch: number });
    history.append({ type: 'operation', phase: 'ok', operation: 'restore', kind: 'epoch', epoch, heads });
  }
  scene.conversations.splice(3);
  await scene.startPod(url);
  await scene.connectAll();
  await scene.settle(await scene.post(60));
  history.append({ type: 'end' });
  const final = await readFinalState(url, tooLargeAbove(PAYLOAD_MAX_BYTES_DEFAULT));
  return { scene, cursors, heads, epoch, checked: checkHistory(scene.events, final) };
}

async function nobodyIsLeftWithAHole(context: TestContext, backupOf: (url: string) => Backup): Promise<void> {
  const { scene, cursors, heads, epoch, checked } = await tellTheStory(context, backupOf, { raise: true });
  // The restore did set the log back behind what clients had.
  const restored = new Map(heads);
  const ahead = cursors[0]!.conversations.filter(
    ({ conversationId, cursor }) => cursor > (restored.get(conversationId) ?? 0),
  );
  expect(ahead.length).toBeGreaterThan(0);
  for (const { client } of scene.devices) {
    expect(client.received.frames.slice(0, 2)).toMatchObject([
      { type: 'ready', epoch },
      { type: 'reset', conversation_id: '*', epoch, reason: 'epoch' },
    ]);
  }
  expect(checked).toMatchObject({ violations: [], ended: true });
}

describe('a restore', () => {
  test.concurrent(
    'without a raised epoch leaves clients with another history: the checker sees it',
    async (context) => {
      const { checked } = await tellTheStory(context, dump, { raise: false });
      expect(checked.violations.map(({ check }) => check)).toContain('two_at_one_place');
    },
  );

  test.concurrent('from a dump: every client of the older epoch is reset, none has a hole', (context) =>
    nobodyIsLeftWithAHole(context, dump),
  );

  // It ends the server: alone, after the others.
  test('to a point in time: every client of the older epoch is reset, none has a hole', (context) =>
    nobodyIsLeftWithAHole(context, pointInTime));
});
