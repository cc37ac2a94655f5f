import { randomUUID } from 'node:crypto';
import { CLOSE } from '@sanctum/protocol';
import type { Audit, Revocations, Revoked } from '@sanctum/protocol/admin';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { HttpClient } from '../../support/http-client.ts';
import type { Pod } from '../../support/pod.ts';
import { Scene } from '../../support/scene.ts';
import { TestClient } from '../../support/test-client.ts';
import { mintToken } from '../../support/tokens.ts';
import { addMutePod, operatorOf, type Operator } from './admin-scene.ts';

/** The contract: connections close within this, on every pod. */
const CLOSED_WITHIN_MS = 2000;

let scene: Scene;
let pods: Pod[];
let operator: Operator;
const clients: TestClient[] = [];

beforeAll(async () => {
  scene = await Scene.begin();
  pods = [await scene.pod(), await scene.pod()];
  operator = await operatorOf(pods[0]!);
  await operator.untilSeen(pods.length);
});
afterAll(async () => {
  for (const client of clients) client.terminate();
  operator.close();
  await scene.end();
});

async function connect(pod: Pod, token: string): Promise<TestClient> {
  const client = await TestClient.connect({ url: pod.wsUrl, token });
  clients.push(client);
  return client;
}

async function statusOf(pod: Pod, token: string): Promise<string> {
  const client = new HttpClient(pod.httpUrl, token);
  const answer = await client.request('GET', '/v1/conversations');
  client.close();
  return answer.problem?.code ?? String(answer.status);
}

it('of a user: connections close with 4503 on every pod, and tokens of before are refused', async () => {
  const token = await mintToken({ sub: 'ann' });
  const other = await mintToken({ sub: 'ben' });
  const [first, second] = [await connect(pods[0]!, token), await connect(pods[1]!, token)];
  const bystander = await connect(pods[1]!, other);
  const begun = performance.now();
  const revoked = await operator.send<Revoked>('POST', '/revocations', {
    user_id: 'ann',
    reason: 'a lost phone',
  });
  expect(revoked).toMatchObject({
    user_id: 'ann',
    sid: null,
    revoked_by: 'ops@example',
    connections: 2,
    pods_missing: [],
  });
  for (const client of [first, second]) {
    const { code } = await client.untilClosed();
    expect(code).toBe(CLOSE.revoked);
  }
  expect(performance.now() - begun).toBeLessThan(CLOSED_WITHIN_MS);
  for (const pod of pods) {
    expect(await statusOf(pod, token)).toBe('revoked');
    expect(await statusOf(pod, other)).toBe('200');
  }
  await expect(connect(pods[1]!, token)).rejects.toThrow(/4503/);
  await bystander.ping();
});

it('a token issued later is good', async () => {
  const token = await eventually(async () => {
    const fresh = await mintToken({ sub: 'ann' });
    expect(await statusOf(pods[0]!, fresh)).toBe('200');
    return fresh;
  });
  await connect(pods[0]!, token);
});

it('of a login: it alone ends, for good', async () => {
  const [phone, laptop] = [
    await mintToken({ sub: 'cat', sid: 'phone' }),
    await mintToken({ sub: 'cat', sid: 'laptop' }),
  ];
  const [onPhone, onLaptop] = [await connect(pods[1]!, phone), await connect(pods[1]!, laptop)];
  await operator.send('POST', '/revocations', { sid: 'phone' });
  const { code } = await onPhone.untilClosed();
  expect(code).toBe(CLOSE.revoked);
  await onLaptop.ping();
  const later = await mintToken({ sub: 'cat', sid: 'phone', exp: Math.floor(Date.now() / 1000) + 7200 });
  await eventually(async () => expect(await statusOf(pods[1]!, later)).toBe('revoked'));
});

it('says which pods did not answer how many connections they have', async () => {
  const mute = await addMutePod(scene);
  expect(await operator.send<Revoked>('POST', '/revocations', { sid: 'unknown' })).toMatchObject({
    connections: 0,
    pods_missing: ['mute'],
  });
  await scene.sql('DELETE FROM messaging.pod_figures WHERE instance = $1', [mute]);
});

it('an operator who is revoked sees no more of the pipeline', async () => {
  const token = await mintToken({ sub: 'former-operator', scope: 'messaging:operate' });
  const response = await fetch(`${pods[1]!.adminUrl}/admin/v1/pipeline/stream`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(response.status).toBe(200);
  await operator.send('POST', '/revocations', { user_id: 'former-operator' });
  // To its end, which is the server's.
  expect(await response.text()).toContain('event: pipeline');
});

it('where the bus loses the word, pods find it by themselves; a pod that starts later knows it, too', async () => {
  const token = await mintToken({ sub: 'dan' });
  const client = await connect(pods[1]!, token);
  // Straight into the table, as `sanctum revoke` does it: nobody says anything on the bus.
  await scene.sql(`SELECT messaging.revoke('user', 'dan', 'from a prompt')`);
  const { code } = await client.untilClosed();
  expect(code).toBe(CLOSE.revoked);
  const third = await scene.pod();
  expect(await statusOf(third, token)).toBe('revoked');
});

it('an operator at a prompt cannot act in another’s name', async () => {
  const role = `operator_${randomUUID().slice(0, 8)}`;
  await scene.sql(`CREATE ROLE ${role} IN ROLE sanctum_operator`);
  const hand = await scene.sqlConnection();
  await hand.query(`SET SESSION AUTHORIZATION ${role}`);
  await hand.query(`SELECT messaging.set_control('consumer', false, 'why', 'the boss')`);
  await hand.query(`SELECT messaging.revoke('login', 'nobody', 'why', 'the boss')`);
  await hand.query('RESET SESSION AUTHORIZATION');
  await hand.query(`DROP ROLE ${role}`);
  const { entries } = await operator.get<Audit>('/audit?limit=2');
  expect(entries).toMatchObject([
    { by: `psql:${role}`, action: 'revoke' },
    { by: `psql:${role}`, action: 'resume' },
  ]);
});

it('are listed, the latest first, and on record', async () => {
  const { revocations, next_cursor: next } = await operator.get<Revocations>('/revocations?limit=2');
  expect(revocations.map(({ user_id, sid }) => user_id ?? sid)).toEqual(['nobody', 'dan']);
  expect(revocations[0]!.revoked_by).toMatch(/^psql:/);
  const rest = await operator.get<Revocations>(`/revocations?limit=2&cursor=${next}`);
  expect(rest.revocations.map(({ user_id }) => user_id)).toEqual(['former-operator', null]);
  const [row] = await scene.sql<{ target: string }>(
    `SELECT target FROM messaging.operator_audit WHERE action = 'revoke' ORDER BY id LIMIT 1`,
  );
  expect(row).toEqual({ target: 'user:ann' });
});
