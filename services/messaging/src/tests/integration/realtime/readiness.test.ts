import { Agent } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { bounds } from '../../../bounds.ts';
import { eventually } from '../../support/eventually.ts';
import { expectStatus, HttpClient } from '../../support/http-client.ts';
import type { Pod } from '../../support/pod.ts';
import { Scene } from '../../support/scene.ts';
import { ownPostgres, ownRedis } from '../../support/servers.ts';
import { mintToken } from '../../support/tokens.ts';

/** A message takes at most this without Redis, to whoever is connected. */
const SLOW_PATH_MS = 2_000;

let scene: Scene;
afterEach(() => scene.end());

interface ReadyAnswer {
  readonly status: number;
  readonly body: { readonly degraded: readonly string[]; readonly reasons?: readonly string[] };
}

async function readyz(pod: Pod): Promise<ReadyAnswer> {
  const response = await fetch(`${pod.httpUrl}/readyz`);
  return { status: response.status, body: (await response.json()) as ReadyAnswer['body'] };
}

async function untilReady(pod: Pod, expected: { status: number; degraded: string[] }): Promise<void> {
  await eventually(async () => {
    const { status, body } = await readyz(pod);
    expect({ status, degraded: body.degraded }).toEqual(expected);
  });
}

test('both flags off: ready', async () => {
  scene = await Scene.begin();
  const pod = await scene.pod({ env: { DISPATCHER_ENABLED: 'false', CONSUMER_ENABLED: 'false' } });
  await untilReady(pod, { status: 200, degraded: [] });
  expect((await fetch(`${pod.httpUrl}/healthz`)).status).toBe(200);
});

test('reads that wait, as many as there are connections for them: ready', async () => {
  scene = await Scene.begin();
  const pod = await scene.pod();
  await scene.conversation(pod, ['alice']);
  const operator = await scene.sqlConnection();
  await operator.query('BEGIN; LOCK TABLE messaging.conversation_member');
  const alice = await scene.http(pod, 'alice');
  const reads = Array.from({ length: 20 }, () => alice.conversations());
  await eventually(async () => {
    const [row] = await scene.sql<{ waiting: number }>(
      `SELECT count(*)::int AS waiting FROM pg_stat_activity
       WHERE application_name = 'sanctum-reader' AND wait_event_type = 'Lock' AND datname = current_database()`,
    );
    expect(row?.waiting).toBe(6);
  });
  expect(await readyz(pod)).toMatchObject({ status: 200 });
  await operator.query('ROLLBACK');
  for (const { status } of await Promise.all(reads)) expect(status).toBe(200);
});

test('Redis is stopped: degraded, messages are accepted and reach members within 2 s; back by itself', async () => {
  const redis = await ownRedis();
  scene = await Scene.begin({ redisUrl: redis.url });
  const pod = await scene.pod();
  const id = await scene.conversation(pod, ['alice', 'bob']);
  const bob = await scene.connect(pod, 'bob');
  await untilReady(pod, { status: 200, degraded: [] });
  await redis.stop();
  await eventually(async () => {
    const { status, body } = await readyz(pod);
    expect(status).toBe(200);
    expect(body.degraded).toContain('redis_unreachable');
  });
  // The first message of its life, so that nothing but the comparison of heads can bring it.
  for (const seq of [1, 2]) {
    expect(await scene.post(pod, 'alice', id)).toEqual([seq]);
    await bob.untilMessages(id, seq, SLOW_PATH_MS);
  }
  await redis.restart();
  await eventually(async () => expect((await readyz(pod)).body.degraded).not.toContain('redis_unreachable'));
  await scene.post(pod, 'alice', id);
  await bob.untilMessages(id, 3);
  await eventually(async () => expect(await scene.onStream(id)).toHaveLength(3));
  await bob.ping();
  expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([1, 2, 3]);
});

describe('without Postgres', async () => {
  const postgres = await ownPostgres();

  test('stopped: not ready, and ready again by itself', async () => {
    scene = await Scene.begin({ databaseUrl: postgres.url });
    const pod = await scene.pod();
    const id = await scene.conversation(pod, ['alice', 'bob']);
    const bob = await scene.connect(pod, 'bob');
    await scene.post(pod, 'alice', id);
    await bob.untilMessages(id, 1);
    await postgres.stop();
    await eventually(async () => {
      expect(await readyz(pod)).toMatchObject({ status: 503, body: { reasons: ['postgres_unreachable'] } });
    });
    expect((await fetch(`${pod.httpUrl}/healthz`)).status).toBe(200);
    const refused = await (await scene.http(pod, 'alice')).postMessage(id);
    expect(refused).toMatchObject({ status: 503, problem: { code: 'unavailable' } });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);

    await postgres.restart();
    await eventually(async () => expect((await readyz(pod)).status).toBe(200));
    await scene.post(pod, 'alice', id);
    await bob.untilMessages(id, 2);
    expect(bob.received.seqs(id)).toEqual([1, 2]);
  });

  test('frozen: 503 within a second once the queue is full, and what was answered 201 is there', async () => {
    scene = await Scene.begin({ databaseUrl: postgres.url });
    const pod = await scene.podProcess({ PAYLOAD_MAX_BYTES: '700000' });
    const id = await scene.conversation(pod, ['alice']);
    const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
    const alice = new HttpClient(pod.httpUrl, await mintToken({ sub: 'alice' }), agent);
    const accepted = new Set<string>();
    let noteFull: (() => void) | undefined;
    const post = async (ciphertext: string) => {
      const from = performance.now();
      const answer = await alice.postMessage(id, { ciphertext });
      if (answer.status === 201) accepted.add(answer.body.message_id);
      if (answer.problem?.code === 'overloaded') noteFull?.();
      return { answer, ms: performance.now() - from };
    };
    // Full by its bytes: that takes far fewer requests than by their number.
    const large = Buffer.alloc(500_000).toString('base64');
    const count = Math.ceil(bounds.intake.queueBytesMax / large.length);
    const filling: ReturnType<typeof post>[] = [];
    const fill = () =>
      new Promise<void>((resolve) => {
        noteFull = resolve;
        filling.push(...Array.from({ length: count + 1 }, () => post(large)));
      });
    const small = Buffer.alloc(24).toString('base64');
    // Of these some are answered before, some are at the log when it freezes.
    const underWay = Array.from({ length: 50 }, () => post(small));
    await Promise.race(underWay);
    await postgres.kill('SIGSTOP');
    try {
      await fill();
      for (let refused = 0; refused < 3;) {
        const { answer, ms } = await post(large);
        expect(answer.status).toBe(503);
        // It found the room of those that had waited for as long as anybody may.
        if (answer.problem?.code === 'unavailable') await fill();
        else {
          expect(answer.problem?.code).toBe('overloaded');
          expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
          expect(ms).toBeLessThan(1_000);
          refused += 1;
        }
      }
      await eventually(async () => expect((await readyz(pod)).status).toBe(503));
    } finally {
      await postgres.kill('SIGCONT');
    }
    for (const { answer } of await Promise.all([...underWay, ...filling])) {
      expect([201, 503]).toContain(answer.status);
    }
    await eventually(async () => expect((await readyz(pod)).status).toBe(200));
    expectStatus((await post(small)).answer, 201);
    const rows = await scene.sql('SELECT message_id FROM messaging.message_outbox WHERE aggregate_id = $1', [
      id,
    ]);
    const stored = new Set(rows.map(({ message_id }) => message_id as string));
    expect(accepted.size).toBeGreaterThan(1);
    expect([...accepted].filter((messageId) => !stored.has(messageId))).toEqual([]);
    alice.close();
  });
});
