import { problem } from '@sanctum/protocol';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { expectStatus, HttpClient } from './http-client.ts';

const ID = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';

interface Seen {
  readonly line: string;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly body: string;
  readonly port: number | undefined;
}

let server: Server;
let client: HttpClient;
const seen: Seen[] = [];
let answer: { status: number; type: string; body: string };

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { authorization, 'content-type': contentType } = request.headers;
      const body = Buffer.concat(chunks).toString();
      const port = request.socket.remotePort;
      seen.push({ line: `${request.method} ${request.url}`, authorization, contentType, body, port });
      response.writeHead(answer.status, { 'content-type': answer.type }).end(answer.body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new HttpClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'alice');
});

beforeEach(() => {
  seen.length = 0;
  answer = { status: 200, type: 'application/json; charset=utf-8', body: '{}' };
});

afterAll(() => {
  client.close();
  server.close();
});

test('each call goes to its path, over one connection', async () => {
  await client.createConversation(['bob'], ID);
  await client.createConversation([]);
  await client.conversations({ limit: 5, cursor: 'a/b' });
  await client.conversation(ID);
  await client.members(ID);
  await client.putMember(ID, 'b/ü?');
  await client.deleteMember(ID, 'bob');
  await client.history(ID, { after: 0, limit: 2 });
  expect(seen.map(({ line }) => line)).toEqual([
    'POST /v1/conversations',
    'POST /v1/conversations',
    'GET /v1/conversations?limit=5&cursor=a%2Fb',
    `GET /v1/conversations/${ID}`,
    `GET /v1/conversations/${ID}/members`,
    `PUT /v1/conversations/${ID}/members/b%2F%C3%BC%3F`,
    `DELETE /v1/conversations/${ID}/members/bob`,
    `GET /v1/conversations/${ID}/messages?after=0&limit=2`,
  ]);
  expect(JSON.parse(seen[0]?.body ?? '')).toEqual({ conversation_id: ID, members: ['bob'] });
  expect(JSON.parse(seen[1]?.body ?? '')).toEqual({ members: [] });
  expect(seen[3]).toMatchObject({ body: '', contentType: undefined, authorization: 'Bearer alice' });
  expect(new Set(seen.map(({ port }) => port)).size).toBe(1);
});

test('a message gets what the test did not say', async () => {
  await client.postMessage(ID);
  await client.postMessage(ID, { messageId: ID, ciphertext: 'AAAA', encryption: { scheme: 'x' } });
  const bodies = seen.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
  expect(bodies[0]).toEqual({ message_id: expect.any(String), ciphertext: expect.any(String) });
  expect(bodies[1]).toEqual({ message_id: ID, ciphertext: 'AAAA', encryption: { scheme: 'x' } });
  expect(seen[0]?.contentType).toBe('application/json');
});

test('another user, none, and anything at all', async () => {
  await client.as('bob').conversation(ID);
  await client.request('GET', '/healthz', { token: null });
  await client.request('POST', '/x', { rawBody: '{', headers: { 'content-type': 'text/plain' } });
  expect(seen.map(({ authorization }) => authorization)).toEqual(['Bearer bob', undefined, 'Bearer alice']);
  expect(seen[2]).toMatchObject({ body: '{', contentType: 'text/plain' });
});

test('a problem is told, and names itself where it was not expected', async () => {
  answer = {
    status: 409,
    type: 'application/problem+json',
    body: JSON.stringify(problem('message_id_reused')),
  };
  const result = await client.postMessage(ID);
  expect(result.problem?.code).toBe('message_id_reused');
  expect(() => expectStatus(result, 200, 201)).toThrow(
    'expected status 200 or 201, got 409 message_id_reused',
  );
});

test('a body that is no JSON stays text', async () => {
  answer = { status: 200, type: 'text/plain', body: 'messaging_path_ok 1' };
  expect(await client.request('GET', '/metrics')).toMatchObject({
    text: 'messaging_path_ok 1',
    body: undefined,
  });
  answer = { status: 204, type: 'application/json', body: '' };
  expect(expectStatus(await client.deleteMember(ID, 'bob'), 204)).toBeUndefined();
});

test('no answer rejects', async () => {
  const nowhere = new HttpClient('http://127.0.0.1:1');
  await expect(nowhere.conversation(ID)).rejects.toThrow();
});
