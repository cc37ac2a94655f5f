import pg from 'pg';
import { expect, it } from 'vitest';
import { expectStatus, HttpClient } from '../../support/http-client.ts';
import { spawnPod } from '../../support/pod.ts';
import { freshDatabase, freshRedis } from '../../support/servers.ts';
import { TestClient } from '../../support/test-client.ts';
import { mintToken } from '../../support/tokens.ts';
import { askUpgrade } from './support/upgrade.ts';

const GRACE_MS = 4000;
/** The part of the grace that clients have to go in. */
const DEADLINE_MS = 2400;
const CLIENTS = 8;
/** What the runbook looks at after a shutdown. */
const LAST_LINES = 50;

it('SIGTERM tells every client where it stands, serves until the deadline, and ends with 0', async () => {
  const postgresUrl = await freshDatabase();
  const pod = await spawnPod({
    postgresUrl,
    redisUrl: await freshRedis(),
    env: { SHUTDOWN_GRACE_MS: String(GRACE_MS) },
  });
  const token = await mintToken({ sub: 'ann' });
  const http = new HttpClient(pod.httpUrl, token);
  const conversation = expectStatus(await http.createConversation(['ann']), 201).conversation_id;
  const busy = expectStatus(await http.createConversation(['ann']), 201).conversation_id;
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => TestClient.connect({ url: pod.wsUrl, token })),
  );
  expectStatus(await http.postMessage(conversation), 201);

  // A POST that is under way when the signal comes: somebody holds the conversation's counter.
  const operator = new pg.Client({ connectionString: postgresUrl });
  await operator.connect();
  await operator.query('BEGIN');
  await operator.query('SELECT FROM messaging.conversation WHERE conversation_id = $1 FOR UPDATE', [busy]);
  const underWay = http.postMessage(busy);

  const exited = new Promise<number | null>((resolve) => pod.process.once('exit', resolve));
  pod.process.kill('SIGTERM');
  await Promise.all(clients.map((client) => client.until(() => client.received.goaway !== undefined)));
  await operator.query('ROLLBACK');
  await operator.end();
  expectStatus(await underWay, 201);

  const goaways = clients.map((client) => client.received.goaway!);
  for (const goaway of goaways) {
    expect(goaway.reason).toBe('drain');
    expect(goaway.deadline_ms).toBeGreaterThan(0);
    expect(goaway.deadline_ms).toBeLessThanOrEqual(DEADLINE_MS);
    expect(goaway.reconnect_after_ms).toBeGreaterThanOrEqual(0);
    expect(goaway.reconnect_after_ms).toBeLessThanOrEqual(goaway.deadline_ms);
  }
  // Staggered: they do not all come to the other pods at once.
  expect(new Set(goaways.map((goaway) => goaway.reconnect_after_ms)).size).toBeGreaterThan(CLIENTS / 2);

  // No new socket is taken; readiness says so; what is connected is served as before, POSTs too.
  const refused = await askUpgrade(pod.httpUrl);
  expect(refused.status).toBe(503);
  expect(refused.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  expect(refused.body).toMatchObject({ code: 'unavailable', retry_after_ms: expect.any(Number) as number });
  expect((await http.request('GET', '/readyz')).status).toBe(503);
  expectStatus(await http.postMessage(conversation), 201);
  for (const client of clients) await client.untilMessages(conversation, 2);
  for (const client of clients) await client.untilMessages(busy, 1);

  const leaving = clients.slice(0, CLIENTS / 2);
  const staying = clients.slice(CLIENTS / 2);
  await Promise.all(leaving.map((client) => client.close()));
  for (const client of staying) {
    const close = await client.untilClosed();
    expect(close.code).toBe(4420);
    expect(close.retryAfterMs).toBeGreaterThan(0);
  }
  http.close();
  expect(await exited).toBe(0);

  const events = pod.logs.map((line) => line['event']);
  const order = [
    'signal_received',
    'server_draining',
    'dispatcher_stopped',
    'consumer_stopped',
    'server_stopped',
  ];
  expect(events.filter((event) => order.includes(event as string))).toEqual(order);
  expect(events.slice(-LAST_LINES)).toContain('consumer_stopped');

  // No attempt was spent and nothing is left half done.
  const check = new pg.Client({ connectionString: postgresUrl });
  await check.connect();
  const { rows } = await check.query(
    'SELECT status, max(attempts) AS attempts, count(*)::int AS rows FROM messaging.message_outbox WHERE aggregate_id = ANY ($1) GROUP BY 1',
    [[conversation, busy]],
  );
  await check.end();
  expect(rows).toEqual([{ status: 'sent', attempts: 0, rows: 3 }]);
});

it('clients that answer nothing any more hold up nobody: all stages end, with 0', async () => {
  const pod = await spawnPod({
    postgresUrl: await freshDatabase(),
    redisUrl: await freshRedis(),
    env: { SHUTDOWN_GRACE_MS: String(GRACE_MS) },
  });
  const token = await mintToken({ sub: 'ann' });
  const mute = await TestClient.connect({ url: pod.wsUrl, token });
  // It hears no close frame, as a phone without a network.
  mute.pauseReading();
  await pod.kill('SIGTERM');
  expect(pod.process.exitCode).toBe(0);
  expect(pod.logs.map((line) => line['event']).slice(-2)).toEqual(['consumer_stopped', 'server_stopped']);
  mute.terminate();
});

it('a SIGTERM at the moment of the start drains as any other', async () => {
  const pod = await spawnPod({ postgresUrl: await freshDatabase(), redisUrl: await freshRedis() });
  await pod.kill('SIGTERM');
  expect(pod.process.exitCode).toBe(0);
  expect(pod.logs.at(-1)).toMatchObject({ event: 'server_stopped' });
});
