import { randomUUID } from 'node:crypto';
import {
  type Connections,
  connections as connectionsSchema,
  type ConsumerGroups,
  consumerGroups,
  type Partitions,
  partitions as partitionsSchema,
  type Pipeline,
  pipeline,
  type Trace,
  trace as traceSchema,
} from '@sanctum/protocol/admin';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../../clock.ts';
import { eventually } from '../../support/eventually.ts';
import { expectStatus } from '../../support/http-client.ts';
import type { Pod } from '../../support/pod.ts';
import { Scene, STREAM } from '../../support/scene.ts';
import { mintToken } from '../../support/tokens.ts';
import { operatorOf, type Operator } from './admin-scene.ts';

const MARKER = 'bWFya2VyLW1hcmtlcg==';

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

async function post(pod: Pod, userId: string, conversationId: string): Promise<string> {
  const messageId = randomUUID();
  const http = await scene.http(pod, userId);
  expectStatus(await http.postMessage(conversationId, { messageId, ciphertext: MARKER }), 201);
  return messageId;
}

it('a trace follows a message to the members on every pod', async () => {
  const conversationId = await scene.conversation(pods[0]!, ['ann', 'ben', 'cat']);
  const ben = await scene.connect(pods[0]!, 'ben');
  // Takes one frame, and acknowledges nothing.
  const cat = await scene.connect(pods[1]!, 'cat', { credit: 1, autoAck: false });
  await scene.post(pods[0]!, 'ann', conversationId);
  await cat.untilMessages(conversationId, 1);
  const messageId = await post(pods[1]!, 'ann', conversationId);
  await ben.untilMessages(conversationId, 2);
  const trace = await eventually(async () => {
    const found = traceSchema.parse(await operator.get<Trace>(`/messages/${messageId}/trace`));
    expect(found.stream).toMatchObject({ state: 'found', read: true, published: true, pending_with: null });
    expect(found.readers_total).toBe(2);
    return found;
  });
  expect(trace).toMatchObject({
    conversation_id: conversationId,
    seq: 2,
    sender: 'ann',
    members: 3,
    dispatch: { status: 'sent', attempts: 0, replay_no: 0 },
    readers_past: 1,
    pods_missing: [],
  });
  expect(trace.readers.map(({ user_id, past, cursor }) => [user_id, past, cursor])).toEqual([
    ['cat', false, 1],
    ['ben', true, 2],
  ]);
  expect(JSON.stringify(trace)).not.toContain(MARKER);
  expect((await operator.http.request('GET', `/admin/v1/messages/${randomUUID()}/trace`)).status).toBe(404);
  expect((await operator.http.request('GET', '/admin/v1/messages/x/trace')).status).toBe(400);
});

it('connections are listed by pod and state, slow ones marked, page by page', async () => {
  const slow = await eventually(async () => {
    const answer = connectionsSchema.parse(await operator.get<Connections>('/connections?slow=true'));
    expect(answer.connections).toHaveLength(1);
    return answer;
  });
  expect(slow.connections[0]).toMatchObject({
    user_id: 'cat',
    slow: true,
    state: 'live',
    credit_left: 0,
    credit_limit: 1,
  });
  expect(slow.by_pod.reduce((sum, { slow: count }) => sum + count, 0)).toBe(1);
  const first = await operator.get<Connections>('/connections?limit=1');
  const second = await operator.get<Connections>(`/connections?limit=1&cursor=${first.next_cursor}`);
  expect(second.next_cursor).toBeNull();
  const both = [...first.connections, ...second.connections].map(({ user_id: userId }) => userId);
  expect(new Set(both)).toEqual(new Set(['ben', 'cat']));
  expect((await operator.get<Connections>('/connections?user_id=ben')).connections).toHaveLength(1);
  expect((await operator.get<Connections>('/connections?pod=nobody')).connections).toEqual([]);
  expect((await operator.http.request('GET', '/admin/v1/connections?cursor=!')).status).toBe(400);
});

it('a pod whose wall clock is set back is heard of as before', async () => {
  let aheadMs = 600_000;
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const pod = await scene.pod({ env: { CONSUMER_ENABLED: 'false' }, overrides: { clock } });
  const seenAt = async () => {
    const { pods: all } = await operator.get<Pipeline>('/pipeline');
    const ahead = all.filter((each) => Date.parse(each.started_at) > Date.now() + 300_000);
    expect(ahead).toHaveLength(1);
    return Date.parse(ahead[0]!.seen_at);
  };
  const before = await eventually(seenAt);
  aheadMs = 0;
  await eventually(async () => expect(await seenAt()).toBeGreaterThan(before + 1000));
  await pod.stop();
});

it('partitions, retention, and the consumers of the group', async () => {
  const storage = partitionsSchema.parse(await operator.get<Partitions>('/partitions'));
  expect(storage.partitions.filter(({ kind }) => kind === 'range').length).toBeGreaterThanOrEqual(4);
  expect(storage.ahead_seconds).toBeGreaterThan(2 * 24 * 3600);
  expect(storage.retention).toEqual({ outbox_days: 7, dlq_days: 30 });
  expect(storage.partitions.every(({ expired }) => !expired)).toBe(true);
  await scene.redis.xgroup('CREATE', STREAM, 'theirs', '$');
  await scene.redis.xgroup('CREATECONSUMER', STREAM, 'theirs', 'analytics-1');
  const { streams } = consumerGroups.parse(await operator.get<ConsumerGroups>('/consumers'));
  const [ours, theirs] = streams[0]!.groups;
  expect(ours).toMatchObject({ name: 'messaging-hub', pending: 0 });
  expect(ours!.consumers.every(({ alive }) => alive)).toBe(true);
  // It is no pod, and none is missed.
  expect(theirs!.consumers).toMatchObject([{ name: 'analytics-1', alive: null }]);
});

it('the pipeline comes as server-sent events, to operators alone', async () => {
  const token = await mintToken({ sub: 'o', scope: 'messaging:operate' });
  const url = `${pods[1]!.adminUrl}/admin/v1/pipeline/stream`;
  expect((await fetch(url)).status).toBe(401);
  const ended = new AbortController();
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` }, signal: ended.signal });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  let text = '';
  for await (const chunk of response.body!) {
    text += Buffer.from(chunk).toString();
    if (text.split('\n\n').length > 2) break;
  }
  ended.abort();
  const [event, data] = text.split('\n');
  expect(event).toBe('event: pipeline');
  const view = pipeline.parse(JSON.parse(data!.slice('data: '.length)));
  expect(view.pods).toHaveLength(2);
  expect(view.stages.map(({ name }) => name)).toEqual([
    'intake',
    'outbox',
    'dispatcher',
    'stream',
    'consumer',
    'hub',
    'clients',
  ]);
});
