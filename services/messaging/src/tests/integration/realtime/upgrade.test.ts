import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RealtimeWorld, type PodAtHand } from './support/realtime-world.ts';
import { askUpgrade } from './support/upgrade.ts';

const USER_CONNECTIONS_MAX = 64;

let world: RealtimeWorld;
let full: PodAtHand;
let withOrigins: PodAtHand;
beforeAll(async () => {
  world = await RealtimeWorld.start();
  const fastPathOff = { DISPATCHER_ENABLED: 'false', CONSUMER_ENABLED: 'false' };
  full = await world.startPod({ env: { ...fastPathOff, WEBSOCKET_MAX_CLIENTS: '2' } });
  withOrigins = await world.startPod({
    env: { ...fastPathOff, WEBSOCKET_ALLOWED_ORIGINS: 'https://app.example' },
  });
});
afterAll(() => world.end());

it('takes the subprotocol and nothing else of what is offered', async () => {
  const answer = await askUpgrade(world.pod.httpUrl, {
    headers: {
      'sec-websocket-protocol': 'other, sanctum.v1',
      'sec-websocket-extensions': 'permessage-deflate',
    },
  });
  expect(answer.status).toBe(101);
  expect(answer.headers['sec-websocket-protocol']).toBe('sanctum.v1');
  expect(answer.headers['sec-websocket-extensions']).toBeUndefined();
});

it.each([null, 'other', 'sanctum.v2', 'SANCTUM.V1'])(
  'subprotocol %j is refused with 400',
  async (protocol) => {
    const answer = await askUpgrade(world.pod.httpUrl, { headers: { 'sec-websocket-protocol': protocol } });
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.body).toMatchObject({
      status: 400,
      code: 'subprotocol_required',
      type: 'urn:sanctum:error:subprotocol_required',
    });
  },
);

it.each(['https://evil.example', 'null', 'http://127.0.0.1:1', 'not an origin'])(
  'origin %j is refused with 403',
  async (origin) => {
    const answer = await askUpgrade(world.pod.httpUrl, { headers: { origin } });
    expect(answer.status).toBe(403);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.body).toMatchObject({ status: 403, code: 'origin_denied' });
    expect(JSON.stringify(answer.body)).not.toContain(origin);
  },
);

it('the same origin is taken, and a client without one, which is no browser', async () => {
  expect((await askUpgrade(world.pod.httpUrl, { headers: { origin: world.pod.httpUrl } })).status).toBe(101);
  expect((await askUpgrade(world.pod.httpUrl)).status).toBe(101);
});

it('a list of origins stands in the place of the same origin', async () => {
  const { httpUrl } = withOrigins;
  const statusOf = async (origin: string) => (await askUpgrade(httpUrl, { headers: { origin } })).status;
  expect(await statusOf('https://app.example')).toBe(101);
  expect(await statusOf(httpUrl)).toBe(403);
  expect(await statusOf('null')).toBe(403);
});

it.each(['/', '/ws/', '/ws/metrics', '/v1/ws'])('an upgrade of %s is answered with 404', async (path) => {
  const answer = await askUpgrade(world.pod.httpUrl, { path });
  expect(answer.status).toBe(404);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect(answer.body).toMatchObject({ status: 404, code: 'not_found' });
});

it('a full pod closes with 1013 and a hint, and takes the next one when there is room', async () => {
  const [first] = await Promise.all([
    world.connect(world.user(), { on: full }),
    world.connect(world.user(), { on: full }),
  ]);
  const socket = await world.open({ userId: world.user(), on: full });
  const { code, reason } = await socket.closed;
  expect(code).toBe(1013);
  const { retry_after_ms: retryAfterMs } = JSON.parse(reason) as { retry_after_ms: number };
  expect(retryAfterMs).toBeGreaterThanOrEqual(1000);
  expect(socket.frames).toEqual([]);
  await first.close();
  await world.connect(world.user(), { on: full });
});

it('the 65th connection of a user closes with 4430, and a hint of 30 s', async () => {
  const userId = world.user();
  const clients = await Promise.all(
    Array.from({ length: USER_CONNECTIONS_MAX }, () => world.connect(userId)),
  );
  const socket = await world.open({ userId });
  socket.send({ type: 'hello' });
  expect(await socket.closed).toEqual({ code: 4430, reason: '{"retry_after_ms":30000}' });
  expect(socket.frames).toEqual([]);
  await world.connect(world.user());
  await clients[0]!.close();
  await world.connect(userId);
});

it('connections that have been told to go do not count for the user', async () => {
  const leaving = await world.startPod();
  const userId = world.user();
  const clients = await Promise.all(
    Array.from({ length: USER_CONNECTIONS_MAX }, () => world.connect(userId, { on: leaving })),
  );
  const late = await world.open({ userId, on: leaving });
  const stopped = leaving.stop();
  await Promise.all(clients.map((client) => client.until(() => client.received.goaway !== undefined)));
  late.send({ type: 'hello' });
  await late.frame('ready');
  // It stands on the same pod, so it is sent away in its turn.
  await late.frame('goaway');
  late.close();
  await Promise.all(clients.map((client) => client.close()));
  await stopped;
});

it('passes over an offer of h2c, which some HTTP clients make with every request', async () => {
  const { hostname, port } = new URL(world.pod.httpUrl);
  const body = '{"members":[]}';
  const offer =
    'Host: pod\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';
  const socket = connect({ host: hostname, port: Number(port) });
  const answers: string[] = [];
  const ended = once(socket, 'close');
  socket.on('data', (data: Buffer) => {
    answers.push(data.toString());
    // The same connection again, now with a body behind the offer.
    if (answers.length === 1) {
      socket.write(
        `POST /v1/conversations HTTP/1.1\r\n${offer}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    } else socket.end();
  });
  socket.write(`GET /healthz HTTP/1.1\r\n${offer}\r\n`);
  await ended;
  expect(answers[0]).toMatch(/^HTTP\/1\.1 200 /);
  expect(answers[1]).toMatch(/^HTTP\/1\.1 401 /);
  expect(answers[1]).toContain('"code":"token_missing"');
});
