import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { PostgresServer } from '@sanctum/local-servers';
import { PostgresConversationLog } from '../../../adapters/postgres/conversation-log.ts';
import { PostgresDispatchLog } from '../../../adapters/postgres/dispatch-log.ts';
import { PostgresIntakeLog } from '../../../adapters/postgres/intake-log.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { PostgresReaderLog } from '../../../adapters/postgres/reader-log.ts';
import type { Verdict } from '../../../ports.ts';
import { bucketOf } from '../../../adapters/memory/log-state.ts';
import { eventually } from '../../support/eventually.ts';
import { ownPostgres } from '../../support/servers.ts';
import { request } from '../../contract/log-under-test.ts';
import { prompt } from './prompt.ts';

const BOUND_MS = 700;
const UNAVAILABLE = { name: 'Fault', code: 'unavailable', retryable: true };

describe('a Postgres that does not answer', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await ownPostgres();
  });

  const logs = () => {
    const pool = new PostgresPool({
      url: server.url,
      applicationName: 'test',
      maxConnections: 2,
      callTimeoutMs: BOUND_MS,
    });
    onTestFinished(() => pool.end());
    const limit = { payloadLimitBytes: 1000 };
    return {
      pool,
      reader: new PostgresReaderLog(pool, limit),
      intake: new PostgresIntakeLog(pool),
      dispatch: new PostgresDispatchLog(pool, limit),
      conversations: new PostgresConversationLog(pool),
    };
  };
  const bounded = async (call: Promise<unknown>) => {
    const start = performance.now();
    await expect(call).rejects.toMatchObject(UNAVAILABLE);
    expect(performance.now() - start).toBeLessThan(BOUND_MS * 2);
  };
  const frozen = async (work: () => Promise<void>) => {
    await server.kill('SIGSTOP');
    try {
      await work();
    } finally {
      await server.kill('SIGCONT');
    }
  };

  test('frozen, every call ends within its bound, and the next one after the thaw is answered', async () => {
    const { reader, intake, dispatch, conversations } = logs();
    await Promise.all([reader.readEpoch(), reader.readEpoch()]);
    await frozen(async () => {
      // More calls than connections: on one that was there, on a new one, and in the queue for one.
      await Promise.all([
        bounded(reader.readEpoch()),
        bounded(intake.append([request(randomUUID(), 'olga')], { waitForLock: false })),
        bounded(dispatch.pendingBuckets()),
        bounded(
          conversations.getConversation({
            conversationId: randomUUID(),
            actor: { userId: 'x', manage: false, operate: false },
          }),
        ),
      ]);
      await bounded(reader.readEpoch());
    });
    await eventually(async () => expect(await reader.readEpoch()).toBe(1));
  });

  test('frozen while rows are being published: the round fails, and the bucket is free after the thaw', async () => {
    const { intake, dispatch, conversations } = logs();
    const conversationId = randomUUID();
    await conversations.createConversation({ conversationId, owner: 'olga', members: [] });
    await intake.append([request(conversationId, 'olga')], { waitForLock: false });
    const bucket = bucketOf(conversationId);
    const send = async (rows: readonly unknown[]): Promise<Verdict[]> => rows.map(() => ({ kind: 'sent' }));
    await bounded(
      dispatch.dispatchBuckets([bucket], { limit: 10 }, async (rows) => {
        await server.kill('SIGSTOP');
        return send(rows);
      }),
    );
    await server.kill('SIGCONT');
    // The rows go out again, unless what was under way to the server still arrived there.
    await eventually(async () => {
      expect(await dispatch.dispatchBuckets([bucket], { limit: 10 }, send)).toMatchObject({
        picked: 0,
        busy: [],
      });
    });
  });

  test('restarted, it costs the running calls only, and kills nobody', async () => {
    const { pool, reader } = logs();
    await Promise.all([reader.readEpoch(), reader.readEpoch()]);
    const slow = pool.query({ name: 'slow', text: 'SELECT pg_sleep(30)' });
    const failed = expect(slow).rejects.toMatchObject(UNAVAILABLE);
    await server.restart();
    await failed;
    await eventually(async () => expect(await reader.readEpoch()).toBe(1));
  });

  test('a connection that an administrator ends between two statements of a round is not used again', async () => {
    const { dispatch, reader, intake, conversations } = logs();
    const conversationId = randomUUID();
    await conversations.createConversation({ conversationId, owner: 'olga', members: [] });
    await intake.append([request(conversationId, 'olga')], { waitForLock: false });
    const admin = await prompt(server.url);
    await bounded(
      dispatch.dispatchBuckets([bucketOf(conversationId)], { limit: 10 }, async (rows) => {
        await admin.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test'`,
        );
        return rows.map(() => ({ kind: 'sent' }));
      }),
    );
    await eventually(async () => expect(await reader.readEpoch()).toBe(1));
  });

  test('a port on which nobody listens is unavailable, too', async () => {
    const url = new URL(server.url);
    url.port = '1';
    const pool = new PostgresPool({
      url: url.href,
      applicationName: 'test',
      maxConnections: 1,
      callTimeoutMs: BOUND_MS,
    });
    onTestFinished(() => pool.end());
    await bounded(pool.query({ name: 'any', text: 'SELECT 1' }));
  });

  test('no fault quotes a row, a parameter or the server', async () => {
    const { pool } = logs();
    for (const [text, code] of [
      [`SELECT 'secret'::int`, 'bad_row'],
      [`INSERT INTO messaging.dispatch_bucket (bucket) VALUES (99)`, 'bad_row'],
      [`SELECT secret FROM messaging.conversation`, 'unexpected'],
      [`DO $$ BEGIN RAISE EXCEPTION 'secret' USING ERRCODE = '40P01'; END $$`, 'contention'],
    ] as const) {
      const fault: unknown = await pool
        .query({ name: `statement-${code}-${text.length}`, text })
        .catch((error: unknown) => error);
      expect(fault).toMatchObject({ name: 'Fault', code });
      expect((fault as Error).stack).not.toContain('secret');
      expect((fault as Error).cause).toBeUndefined();
    }
  });
});
