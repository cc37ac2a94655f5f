import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { bucketOf } from '../../../adapters/memory/log-state.ts';
import { PostgresDispatchLog } from '../../../adapters/postgres/dispatch-log.ts';
import { PostgresPool } from '../../../adapters/postgres/pool.ts';
import { freshDatabase } from '../../support/servers.ts';
import { prompt } from './prompt.ts';

test('a dispatcher claims no more than 8 MiB of payload at once, and says that there is more', async () => {
  const url = await freshDatabase();
  const client = await prompt(url);
  const id = randomUUID();
  await client.query(
    `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
     SELECT gen_random_uuid(), gen_random_uuid(), 'MessageCreated', $1, jsonb_build_object('ciphertext', repeat('x', 80000))
     FROM generate_series(1, 150)`,
    [id],
  );
  const pool = new PostgresPool({ url, applicationName: 'test', maxConnections: 1, callTimeoutMs: 20_000 });
  onTestFinished(() => pool.end());
  const dispatch = new PostgresDispatchLog(pool, { payloadLimitBytes: 90_000 });
  const seqs: (number | undefined)[] = [];
  const round = () =>
    dispatch.dispatchBuckets([bucketOf(id)], { limit: 1000 }, async (rows) => {
      seqs.push(...rows.map(({ message }) => message?.seq));
      return rows.map(() => ({ kind: 'sent' }));
    });
  expect(await round()).toMatchObject({ picked: 105, full: [bucketOf(id)] });
  expect(await round()).toMatchObject({ picked: 45, full: [] });
  expect(seqs).toEqual(Array.from({ length: 150 }, (_, index) => index + 1));
});
