import { type Audit, type Controls, controls, type Pipeline, pipeline } from '@sanctum/protocol/admin';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { HttpClient } from '../../support/http-client.ts';
import type { Pod } from '../../support/pod.ts';
import { metricOf, Scene } from '../../support/scene.ts';
import { mintToken } from '../../support/tokens.ts';
import { operatorOf, type Operator } from './admin-scene.ts';

let scene: Scene;
let pods: Pod[];
let operator: Operator;

beforeAll(async () => {
  scene = await Scene.begin();
  pods = [await scene.pod(), await scene.pod()];
  operator = await operatorOf(pods[0]!);
  await operator.untilSeen(pods.length);
});
afterAll(async () => {
  operator.close();
  await scene.end();
});

async function setControl(stage: string, paused: boolean, more: object = {}): Promise<Controls> {
  return operator.send('PUT', '/controls', { stage, paused, reason: 'a drill', ...more });
}

describe('who may', () => {
  it('is an operator with a token, and nobody else', async () => {
    const anyone = new HttpClient(pods[0]!.adminUrl);
    const ann = anyone.as(await mintToken({ sub: 'ann' }));
    expect((await anyone.request('GET', '/admin/v1/pipeline')).problem).toMatchObject({
      code: 'token_missing',
    });
    expect((await ann.request('GET', '/admin/v1/pipeline')).problem).toMatchObject({
      code: 'scope_required',
    });
    expect((await ann.request('PUT', '/admin/v1/controls', { body: {} })).status).toBe(403);
    const foreign = { headers: { origin: 'https://evil.example' } };
    expect((await operator.http.request('GET', '/admin/v1/pipeline', foreign)).problem).toMatchObject({
      code: 'origin_denied',
    });
    expect((await operator.http.request('DELETE', '/admin/v1/pipeline')).status).toBe(405);
    expect((await operator.http.request('GET', '/admin/v1/nothing')).status).toBe(404);
    expect((await anyone.request('GET', '/admin/v1/openapi.json')).status).toBe(401);
    const spec = await operator.get<{ openapi: string; paths: object }>('/openapi.json');
    expect(spec).toMatchObject({ openapi: '3.1.0', paths: { '/admin/v1/controls': { put: {} } } });
    anyone.close();
  });

  it('finds nothing of it on the public port', async () => {
    const client = new HttpClient(
      pods[0]!.httpUrl,
      await mintToken({ sub: 'o', scope: 'messaging:operate' }),
    );
    for (const path of ['pipeline', 'controls', 'audit', 'openapi.json'].map((name) => `/admin/v1/${name}`)) {
      expect((await client.request('GET', path)).status).toBe(404);
    }
    client.close();
  });

  it('gets headers that let no other page in', async () => {
    const { headers } = await operator.http.request('GET', '/');
    expect(headers['content-security-policy']).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(headers['x-frame-options']).toBe('DENY');
    expect(headers['access-control-allow-origin']).toBeUndefined();
    for (const path of ['/admin/v1/controls', '/%61dmin/v1/controls', '/admin/v1/nothing'])
      expect((await operator.http.request('GET', path)).headers['cache-control']).toBe('no-store');
    for (const path of ['/../package.json', '/%2e%2e/package.json', '/..%2f..%2fpackage.json'])
      expect((await operator.http.request('GET', path)).status).toBe(404);
  });
});

describe('a pause', () => {
  it('of the dispatcher holds rows back on every pod within a second, and a resume lets them go', async () => {
    const begun = performance.now();
    const answer = await setControl('dispatcher', true);
    controls.parse(answer);
    await eventually(async () => {
      for (const pod of pods) expect(await metricOf(pod, 'messaging_control_paused')).toBe(1);
    });
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(answer.controls[0]).toMatchObject({
      stage: 'dispatcher',
      paused: true,
      changed_by: 'ops@example',
      reason: 'a drill',
    });
    const conversationId = await scene.conversation(pods[0]!, ['ann', 'ben']);
    await scene.post(pods[1]!, 'ann', conversationId, 3);
    await eventually(async () => {
      const { stages } = await operator.get<Pipeline>('/pipeline');
      expect(stages.find(({ name }) => name === 'dispatcher')).toMatchObject({ health: 'paused' });
      expect(stages.find(({ name }) => name === 'outbox')!.backlog).toBeGreaterThanOrEqual(3);
    });
    expect(await scene.onStream(conversationId)).toEqual([]);
    expect(await metricOf(pods[0]!, 'messaging_dispatch_ticks_total')).toBeGreaterThan(0);
    await setControl('dispatcher', false);
    await eventually(async () => expect(await scene.onStream(conversationId)).toHaveLength(3));
    expect((await operator.get<Controls>('/controls')).controls[0]).toMatchObject({ paused: false });
  });

  it('of the consumer leaves entries on the stream', async () => {
    await setControl('consumer', true);
    await eventually(async () => {
      const { controls: all } = await operator.get<Controls>('/controls');
      expect(all.find(({ stage }) => stage === 'consumer')).toMatchObject({ paused: true, pods_behind: [] });
    });
    const before = await metricOf(pods[0]!, 'messaging_consumer_delivered_total');
    const other = await metricOf(pods[1]!, 'messaging_consumer_delivered_total');
    const conversationId = await scene.conversation(pods[0]!, ['ann', 'ben']);
    await scene.post(pods[0]!, 'ann', conversationId, 2);
    await eventually(async () => expect(await scene.onStream(conversationId)).toHaveLength(2));
    expect(await metricOf(pods[0]!, 'messaging_consumer_delivered_total')).toBe(before);
    expect(await metricOf(pods[1]!, 'messaging_consumer_delivered_total')).toBe(other);
    await setControl('consumer', false);
    await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
  });

  it('of delivery sends clients nothing, keeps them, and on resuming they miss nothing', async () => {
    const [ann, ben] = ['delivery-ann', 'delivery-ben'] as const;
    const conversationId = await scene.conversation(pods[0]!, [ann, ben]);
    const client = await scene.connect(pods[1]!, ben);
    await client.until(() => client.received.caughtUpCount === 1);
    await scene.post(pods[0]!, ann, conversationId);
    await client.untilMessages(conversationId, 1);
    await setControl('delivery', true);
    await eventually(async () => expect(await metricOf(pods[1]!, 'messaging_control_paused')).toBe(1));
    await scene.post(pods[0]!, ann, conversationId, 5);
    await eventually(async () => expect(await scene.onStream(conversationId)).toHaveLength(6));
    await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
    await client.ping();
    expect(client.received.seqs(conversationId)).toEqual([1]);
    expect(await metricOf(pods[1]!, 'transport_slow_consumers_total')).toBe(0);
    await setControl('delivery', false);
    await client.untilMessages(conversationId, 6);
    expect(client.received.seqs(conversationId)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('ends by itself where it was given an end', async () => {
    const consumerIn = (answer: Controls) => answer.controls.find(({ stage }) => stage === 'consumer')!;
    const paused = consumerIn(await setControl('consumer', true, { expires_in_seconds: 1 }));
    await eventually(async () => expect(await metricOf(pods[1]!, 'messaging_control_paused')).toBe(1));
    await eventually(async () => expect(await metricOf(pods[1]!, 'messaging_control_paused')).toBe(0));
    expect(consumerIn(await operator.get<Controls>('/controls'))).toMatchObject({
      paused: false,
      since: paused.expires_at,
      changed_by: null,
      reason: null,
      expires_at: null,
    });
  });

  it('is on record, with who and why', async () => {
    const { entries } = await operator.get<Audit>('/audit?limit=3');
    expect(entries[0]).toMatchObject({
      by: 'ops@example',
      action: 'pause',
      target: 'consumer',
      parameters: { reason: 'a drill' },
    });
    const all = await operator.get<Audit>('/audit');
    expect(all.entries.length).toBeGreaterThan(4);
    expect(all.next_cursor).toBeNull();
  });

  it('needs a stage that there is, and a reason', async () => {
    const refused = async (body: object) =>
      (await operator.http.request('PUT', '/admin/v1/controls', { body })).problem;
    expect(await refused({ stage: 'hub', paused: true, reason: 'x' })).toMatchObject({
      code: 'invalid_body',
    });
    expect(await refused({ stage: 'consumer', paused: true })).toMatchObject({
      detail: expect.stringContaining('reason'),
    });
    expect(await refused({ stage: 'consumer', paused: true, reason: 'x', extra: 1 })).toMatchObject({
      code: 'unknown_field',
    });
  });
});

it('a slow question of an operator holds up no pause, and no other operator’s', async () => {
  const hand = await scene.sqlConnection();
  await hand.query('BEGIN; LOCK TABLE messaging.message_dlq IN ACCESS EXCLUSIVE MODE');
  const slow = Array.from({ length: 6 }, () => operator.get('/dead-letters?kind=entry'));
  await setControl('consumer', true);
  expect(await metricOf(pods[0]!, 'messaging_control_paused')).toBe(1);
  await setControl('consumer', false);
  await hand.query('ROLLBACK');
  expect(await Promise.all(slow)).toHaveLength(6);
});

it('a pod that cannot read what operators have decided does not start', async () => {
  await scene.sql('ALTER TABLE messaging.control RENAME TO control_away');
  await expect(scene.podProcess()).rejects.toThrow(/ended before server_started/);
  await scene.sql('ALTER TABLE messaging.control_away RENAME TO control');
});

it('a pod that starts during a pause starts paused', async () => {
  await setControl('dispatcher', true);
  const third = await scene.pod();
  expect(await metricOf(third, 'messaging_control_paused')).toBe(1);
  const answer = await operator.get<Pipeline>('/pipeline');
  pipeline.parse(answer);
  await setControl('dispatcher', false);
});

it('a pod that the bus does not bring has not followed a pause', async () => {
  await scene.sql(
    `INSERT INTO messaging.pod_figures (instance, seen_at, figures)
     SELECT id, now() + INTERVAL '1 hour',
       figures || jsonb_build_object('instance', id, 'name', 'mute', 'paused', '[]'::jsonb)
     FROM (SELECT figures FROM messaging.pod_figures LIMIT 1) one, gen_random_uuid() id`,
  );
  // One that nobody has asked for the pipeline: that would have read the table, too.
  const other = await operatorOf(pods[1]!);
  const body = { stage: 'dispatcher', paused: true, reason: 'a drill' };
  const answer = await other.send<Controls>('PUT', '/controls', body);
  expect(answer.controls[0]!.pods_behind).toContain('mute');
  await other.send('PUT', '/controls', { ...body, paused: false });
  other.close();
});
