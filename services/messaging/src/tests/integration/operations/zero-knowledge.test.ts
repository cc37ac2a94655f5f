import type { Job, Trace } from '@sanctum/protocol/admin';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { adminRouteList } from '../../../adapters/http/admin/admin-operations.ts';
import { eventually } from '../../support/eventually.ts';
import { expectStatus } from '../../support/http-client.ts';
import type { PodProcess } from '../../support/pod.ts';
import { Scene, STREAM } from '../../support/scene.ts';
import type { TestClient } from '../../support/test-client.ts';
import { operatorOf, type Operator } from '../admin/admin-scene.ts';

const SECRET = 'what-nobody-may-print';
const CIPHERTEXT = Buffer.from(SECRET).toString('base64');
const KEY_ID = 'the-key-of-what-nobody-may-print';
const SENDER = 'whom-no-metric-may-name';
/** The ciphertext as it came, as its bytes, and as its bytes are shown. */
const UNPRINTABLE = [CIPHERTEXT, SECRET, Buffer.from(SECRET).toString('hex'), KEY_ID];
/** A frame holds no more; the row of an operator does. */
const PAYLOAD_MAX_BYTES = 1024;

let scene: Scene;
let pod: PodProcess;
let operator: Operator;
let reader: TestClient;
let conversationId: string;
/** All that the service says to anybody but the readers of a conversation. */
const answers: string[] = [];

beforeAll(async () => {
  scene = await Scene.begin();
  pod = await scene.podProcess({ LOG_LEVEL: 'debug', PAYLOAD_MAX_BYTES: String(PAYLOAD_MAX_BYTES) });
  operator = await operatorOf(pod);
  conversationId = await scene.conversation(pod, [SENDER, 'ben']);
  reader = await scene.connect(pod, 'ben', { withoutCursor: 'start' });
});
afterAll(async () => {
  operator.close();
  await scene.end();
});

async function tell<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> {
  const answer = await operator.http.request<T>(method, path, body === undefined ? {} : { body });
  answers.push(answer.text);
  return expectStatus(answer, 200, 202);
}

async function done({ job_id: id }: Job): Promise<void> {
  await eventually(async () => expect((await tell<Job>('GET', `/admin/v1/jobs/${id}`)).state).toBe('done'));
}

it('ciphertext stands in the table, on the stream and in frames, and nowhere else', async () => {
  const http = await scene.http(pod, SENDER);
  const message = { messageId: randomUUID(), ciphertext: CIPHERTEXT };
  const encryption = { scheme: 'a-scheme', key_id: KEY_ID };
  expectStatus(await http.postMessage(conversationId, { ...message, encryption }), 201);
  await reader.untilMessages(conversationId, 1);

  // Everything that can be wrong about a message, and about a connection.
  const path = `/v1/conversations/${conversationId}/messages`;
  const bodies = [
    { message_id: message.messageId, ciphertext: Buffer.from(`${SECRET}.`).toString('base64') },
    { message_id: randomUUID(), ciphertext: `${CIPHERTEXT}!` },
    { message_id: randomUUID(), ciphertext: CIPHERTEXT, [SECRET]: CIPHERTEXT },
    { message_id: CIPHERTEXT, ciphertext: CIPHERTEXT },
    { message_id: randomUUID(), ciphertext: CIPHERTEXT.repeat(PAYLOAD_MAX_BYTES) },
  ];
  for (const body of bodies) {
    const answer = await http.request('POST', path, { body });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    answers.push(answer.text);
  }
  answers.push((await http.request('POST', path, { rawBody: `{"ciphertext":"${CIPHERTEXT}` })).text);
  const broken = await scene.connect(pod, SENDER, { failOnFault: false });
  await broken.until(() => broken.received.ready !== undefined);
  broken.sendRaw(JSON.stringify({ type: 'ping', id: 1, [SECRET]: CIPHERTEXT }));
  await broken.until(() => broken.received.errors.length > 0);
  broken.sendRaw(`{"type":"ack","delivered":"${CIPHERTEXT}"}`);
  answers.push(JSON.stringify([broken.received.errors, await broken.untilClosed()]));

  // Dead letters: a row that no frame holds, and entries that are none.
  const tooLong = await scene.insert(conversationId, {
    ciphertext: CIPHERTEXT.repeat(PAYLOAD_MAX_BYTES),
    encryption,
  });
  await reader.until(() => reader.received.gaps.some(({ reason }) => reason === 'dead_letter'));
  await eventually(async () => {
    const [row] = await scene.sql<{ status: string }>(
      'SELECT status FROM messaging.message_outbox WHERE message_id = $1',
      [tooLong],
    );
    expect(row!.status).toBe('dead');
  });
  await scene.redis.xadd(STREAM, '*', 'v', '1', 'payload', `{"ciphertext":"${CIPHERTEXT}"`);
  await eventually(async () => {
    const { total } = await tell<{ total: number }>('GET', '/admin/v1/dead-letters?kind=entry');
    expect(total).toBe(1);
  });
  await done(await tell<Job>('POST', '/admin/v1/dead-letters/requeue', { kind: 'entry', all: true }));

  // PostgreSQL quotes the row that it refuses.
  await scene.sql('ALTER TABLE messaging.message_outbox ADD CONSTRAINT no_more CHECK (seq < 3) NOT VALID');
  const refused = await http.postMessage(conversationId, { ciphertext: CIPHERTEXT, encryption });
  expect(refused.status).toBeGreaterThanOrEqual(500);
  answers.push(refused.text);

  // An operator's replay, and the trace of what it sent.
  const since = new Date(Date.now() - 3_600_000).toISOString();
  await done(await tell<Job>('POST', '/admin/v1/replays', { conversation_id: conversationId, since }));
  await reader.until(() => reader.received.messages.some(({ replay }) => replay > 0));
  const trace = await tell<Trace>('GET', `/admin/v1/messages/${message.messageId}/trace`);
  expect(trace.sender).toBe(SENDER);
  for (const { method, path: each } of adminRouteList) {
    if (method === 'GET' && !each.includes('{') && !each.endsWith('/stream')) await tell('GET', each);
  }
  const metrics = await (await fetch(`${pod.httpUrl}/metrics`)).text();
  await pod.stop();

  const printed = [...answers, metrics, ...pod.logs.map((line) => JSON.stringify(line))];
  for (const marker of UNPRINTABLE) {
    expect(printed.filter((text) => text.toLowerCase().includes(marker.toLowerCase()))).toEqual([]);
  }
  for (const id of [SENDER, conversationId, message.messageId]) expect(metrics).not.toContain(id);
  // It was there to be printed.
  const events = pod.logs.map(({ event }) => event);
  expect(events).toEqual(
    expect.arrayContaining([
      'dispatcher_row_dead',
      'consumer_parse_error',
      'intake_row_refused',
      'server_stopped',
    ]),
  );
  expect(JSON.stringify(reader.received.messages)).toContain(CIPHERTEXT);
  expect(JSON.stringify(await scene.onStream(conversationId))).toContain(CIPHERTEXT);
  const rows = await scene.sql('SELECT payload::text FROM messaging.message_outbox');
  expect(JSON.stringify(rows)).toContain(CIPHERTEXT);
});
