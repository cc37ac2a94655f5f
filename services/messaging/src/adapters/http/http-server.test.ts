import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../clock.ts';
import { HttpClient } from '../../tests/support/http-client.ts';
import { type HttpFixture, startHttpFixture } from '../../tests/support/http-fixture.ts';
import { ManualClock } from '../../tests/support/manual-clock.ts';
import { mintToken } from '../../tests/support/tokens.ts';
import { createHttpServer } from './http-server.ts';
import { routeList } from './routes.ts';
import type { TokenVerifier } from './token-verifier.ts';

let http: HttpFixture;
let anyone: HttpClient;
let alice: HttpClient;

beforeAll(async () => {
  http = await startHttpFixture();
  anyone = new HttpClient(http.url);
  alice = await http.as('alice');
});
afterAll(async () => {
  anyone.close();
  await http.close();
});

const guarded = routeList.filter(({ path }) => path.startsWith('/v1/'));
const addressOf = (path: string) => path.replace('{id}', randomUUID()).replace('{user_id}', 'bob');

describe('a token', () => {
  it.each(guarded)('is needed for $method $path', async ({ method, path }) => {
    const answer = await anyone.request(method, addressOf(path));
    expect(answer.problem).toEqual({
      type: 'urn:sanctum:error:token_missing',
      title: 'A token is required',
      status: 401,
      code: 'token_missing',
    });
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'www-authenticate': 'Bearer',
      'cache-control': 'no-store',
    });
  });

  it.each([
    ['has expired', () => mintToken({ sub: 'alice', exp: 1 }), 'token_expired'],
    ['is for another audience', () => mintToken({ sub: 'alice', aud: 'other' }), 'token_invalid'],
    ['is of another issuer', () => mintToken({ sub: 'alice', iss: 'other' }), 'token_invalid'],
    ['never expires', () => mintToken({ sub: 'alice', exp: null }), 'token_invalid'],
    ['names nobody', () => mintToken({ sub: '' }), 'token_invalid'],
    [
      'is signed by another',
      () => mintToken({ sub: 'alice' }, 'another secret of 32 bytes or more'),
      'token_invalid',
    ],
    ['is garbage', () => Promise.resolve('garbage'), 'token_invalid'],
    ['is not signed', () => Promise.resolve('eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.'), 'token_invalid'],
  ])('that %s is refused before anything is read', async (_, token, code) => {
    const answer = await anyone.request('POST', '/v1/conversations', {
      rawBody: 'not JSON',
      token: await token(),
    });
    expect(answer.problem).toMatchObject({ status: 401, code });
  });

  it('of another scheme is refused', async () => {
    const answer = await anyone.request('GET', '/v1/conversations', {
      headers: { authorization: 'Basic YTpi' },
    });
    expect(answer.problem?.code).toBe('token_invalid');
  });

  it('is not read from the address', async () => {
    const token = await mintToken({ sub: 'alice' });
    const answer = await anyone.request('GET', `/v1/conversations?access_token=${token}&token=${token}`);
    expect(answer.problem?.code).toBe('token_missing');
  });

  it('that has been revoked is refused', async () => {
    const eve = await http.as('eve');
    expect((await eve.conversations()).status).toBe(200);
    http.revoked.add('eve');
    expect((await eve.conversations()).problem).toMatchObject({ status: 401, code: 'revoked' });
  });

  it('whose key cannot be had is no verdict', async () => {
    const verifier: TokenVerifier = { verify: () => ({ ok: false, code: 'unavailable' }) };
    const other = await startHttpFixture({ verifier });
    const answer = await (await other.as('alice')).conversations();
    expect(answer.problem).toMatchObject({ status: 503, code: 'unavailable', retry_after_ms: 2000 });
    expect(answer.headers['retry-after']).toBe('2');
    await other.close();
  });
});

describe('addresses and methods', () => {
  it.each(['/', '/v1', '/v1/', '/v1/nonsense', '/nonsense', '/V1/conversations', '/admin/v1/pipeline'])(
    '404 for %s',
    async (path) => {
      const answer = await alice.request('GET', path);
      expect(answer.problem).toMatchObject({ status: 404, code: 'not_found' });
      expect(answer.headers['content-type']).toBe('application/problem+json');
    },
  );

  it('405 names the methods that there are', async () => {
    const patch = await alice.request('PATCH', '/v1/conversations');
    expect(patch.problem).toMatchObject({ status: 405, code: 'method_not_allowed' });
    expect(patch.headers.allow).toBe('POST, GET, HEAD, OPTIONS');
    expect((await alice.request('POST', '/healthz')).headers.allow).toBe('GET, HEAD, OPTIONS');
    const member = `/v1/conversations/${randomUUID()}/members/bob`;
    expect((await alice.request('GET', member)).headers.allow).toBe('PUT, DELETE, OPTIONS');
  });

  it('HEAD is GET without its body', async () => {
    for (const path of ['/healthz', '/v1/conversations']) {
      const answer = await alice.request('HEAD', path);
      expect([answer.status, answer.text]).toEqual([200, '']);
    }
    expect((await anyone.request('HEAD', '/v1/conversations')).status).toBe(401);
  });

  it('serves what the table of routes says, and nothing else', async () => {
    const app = createHttpServer({
      ...({} as Parameters<typeof createHttpServer>[0]),
      clock: systemClock,
      metrics: http.metrics,
      maxClients: 1,
      payloadMaxBytes: 1,
      demo: { folder: new URL('none/', import.meta.url), signing: undefined },
    });
    await app.ready();
    const served: string[] = [];
    const parents: string[] = [];
    for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
      const [, indent, part, methods] = /^([│├└─ ]*)(\/\S*) \(([^)]+)\)/.exec(line) ?? [];
      if (indent === undefined) continue;
      const depth = indent.length / 4 - 1;
      parents[depth] = (depth === 0 ? '' : parents[depth - 1]!) + part!;
      for (const method of methods!.split(', ')) {
        if (method !== 'HEAD') served.push(`${method} ${parents[depth].replace(/:(\w+)/g, '{$1}')}`);
      }
    }
    expect(served.sort()).toEqual(routeList.map(({ method, path }) => `${method} ${path}`).sort());
    await app.close();
  });
});

describe('what needs no token', () => {
  beforeEach(() => {
    http.readiness = { ready: true, degraded: [], reasons: [] };
  });

  it('/healthz: the process lives', async () => {
    const answer = await anyone.request('GET', '/healthz');
    expect([answer.status, answer.body]).toEqual([200, { status: 'ok' }]);
  });

  it('/readyz: ready, also while something else is degraded', async () => {
    http.readiness = { ready: true, degraded: ['redis'], reasons: [] };
    const answer = await anyone.request('GET', '/readyz');
    expect([answer.status, answer.body]).toEqual([200, { status: 'ready', degraded: ['redis'] }]);
  });

  it('/readyz: not ready, and why', async () => {
    http.readiness = { ready: false, degraded: ['redis'], reasons: ['postgres'] };
    const answer = await anyone.request('GET', '/readyz');
    expect([answer.status, answer.body]).toEqual([
      503,
      { status: 'not_ready', reasons: ['postgres'], degraded: ['redis'] },
    ]);
  });

  it('/metrics: everything; /ws/metrics: what begins with transport_', async () => {
    const all = await anyone.request('GET', '/metrics');
    expect(all.headers['content-type']).toMatch(/^text\/plain/);
    expect(all.text).toContain('messaging_outbox_pending 0\n');
    expect(all.text).toContain('transport_connections_total 0\n');
    const transport = await anyone.request('GET', '/ws/metrics');
    const names = [...transport.text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!);
    expect(names).toContain('transport_messages_sent_total');
    expect(names.every((name) => name.startsWith('transport_'))).toBe(true);
    expect(transport.text).not.toContain('messaging_');
  });

  it('/openapi.json and /asyncapi.json', async () => {
    expect((await anyone.request('GET', '/openapi.json')).body).toMatchObject({ openapi: '3.1.0' });
    expect((await anyone.request('GET', '/asyncapi.json')).body).toMatchObject({ asyncapi: '3.0.0' });
  });

  it('/docs: a page that holds and loads no script', async () => {
    const { headers, text } = await anyone.request('GET', '/docs');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+';/,
    );
    expect(text).not.toMatch(/<script|<link|<img|style=|https?:\/\/(?!localhost)/);
    for (const { path } of routeList) expect(text).toContain(path);
    expect(text).toContain('caught_up');
  });
});

describe('requests are counted', () => {
  it('by pattern, never by address', async () => {
    await alice.conversation(randomUUID());
    await anyone.request('GET', `/nonsense/${randomUUID()}`);
    const { text } = await anyone.request('GET', '/metrics');
    expect(text).toMatch(
      /^messaging_http_requests_total\{route="\/v1\/conversations\/\{id\}",method="GET",status="404"\} [1-9]/m,
    );
    expect(text).toMatch(
      /^messaging_http_requests_total\{route="unmatched",method="GET",status="404"\} [1-9]/m,
    );
    expect(text).toMatch(/^messaging_http_request_seconds_count [1-9]/m);
    expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}/);
  });

  it('from zero, for every documented answer', async () => {
    const fresh = await startHttpFixture();
    const { text } = await new HttpClient(fresh.url).request('GET', '/metrics');
    const series = '{route="/v1/conversations/{id}/messages",method="POST",status="STATUS"} 0';
    for (const status of ['200', '201', '400', '401', '404', '409', '413', '415', '429', '500', '503']) {
      expect(text).toContain(series.replace('STATUS', status));
    }
    await fresh.close();
  });
});

describe('who asks too often', () => {
  const rates = { userPosts: { burst: 8, perSecond: 4 }, userCalls: { burst: 6, perSecond: 3 } };

  it.each([
    ['posts', rates.userPosts, 'POST', `/v1/conversations/${randomUUID()}/messages`],
    ['calls', rates.userCalls, 'GET', '/v1/conversations?limit=none'],
  ] as const)('has so many %s, then 429 before the body is read', async (_, { burst }, method, path) => {
    const clock = new ManualClock();
    const other = await startHttpFixture({ clock, rates });
    const [mallory, bob] = [await other.as('mallory'), await other.as('bob')];
    const ask = (user: HttpClient, rawBody: string) =>
      user.request(method, path, method === 'GET' ? {} : { rawBody });
    const answers = await Promise.all(Array.from({ length: burst }, () => ask(mallory, 'not JSON')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400]));

    const refused = await ask(mallory, 'not JSON');
    expect(refused.problem).toMatchObject({ status: 429, code: 'rate_limited' });
    const hintMs = refused.problem!.retry_after_ms!;
    expect(hintMs).toBeGreaterThan(0);
    expect(refused.headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'no-store' });
    // Of the other kind there is room, and everybody else has their own.
    const answer = await (method === 'GET' ? mallory.postMessage(randomUUID()) : mallory.conversations());
    expect(answer.status).toBe(method === 'GET' ? 404 : 200);
    expect((await ask(bob, '{}')).status).toBe(400);

    await clock.advance(hintMs);
    expect((await ask(mallory, '{}')).status).toBe(400);
    await other.close();
  });
});

describe('browsers', () => {
  const from = (origin: string, headers: Record<string, string> = {}) => ({
    headers: { origin, ...headers },
  });

  it('of the same origin are served', async () => {
    const answer = await alice.request('GET', '/v1/conversations', from(http.url));
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': http.url, vary: 'Origin' });
  });

  it.each(['https://evil.example', 'null'])('of the origin %s are refused', async (origin) => {
    const answer = await alice.request('GET', '/v1/conversations', from(origin));
    expect(answer.problem).toMatchObject({ status: 403, code: 'origin_denied' });
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    const preflight = await anyone.request(
      'OPTIONS',
      '/v1/conversations',
      from(origin, { 'access-control-request-method': 'POST' }),
    );
    expect(preflight.status).toBe(403);
  });

  it('of other origins are refused however the address is written, and nothing of it is stored', async () => {
    const path = '/%76%31/conversations';
    const refused = await alice.request('GET', path, from('https://evil.example'));
    expect(refused.problem).toMatchObject({ status: 403, code: 'origin_denied' });
    const answer = await alice.request('GET', path);
    expect(answer.status).toBe(200);
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('of an allowed origin may ask first', async () => {
    const other = await startHttpFixture({ allowedOrigins: ['https://app.example'] });
    const client = new HttpClient(other.url);
    const preflight = await client.request(
      'OPTIONS',
      `/v1/conversations/${randomUUID()}/messages`,
      from('https://app.example', {
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      }),
    );
    expect(preflight.status).toBe(204);
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-methods': 'POST, GET, HEAD, OPTIONS',
      'access-control-allow-headers': 'authorization, content-type',
    });
    expect(preflight.headers).not.toHaveProperty('access-control-allow-credentials');
    expect((await client.request('GET', '/v1/conversations', from(other.url))).problem?.code).toBe(
      'origin_denied',
    );
    const answer = await (
      await other.as('alice')
    ).request('GET', '/v1/conversations', from('https://app.example'));
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-expose-headers': 'idempotent-replay, retry-after',
    });
    client.close();
    await other.close();
  });
});

describe('what is hardly HTTP', () => {
  /** Sends bytes as they are, and gives what comes back until the server closes. */
  function raw(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let answer = '';
      const socket = connect(http.port, '127.0.0.1', () => socket.write(text));
      socket.on('data', (chunk) => (answer += chunk.toString()));
      socket.on('close', () => resolve(answer)).on('error', reject);
    });
  }

  it('gets 400 and is closed', async () => {
    const answer = await raw('nonsense\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nconnection: close\r\n/);
    expect(answer).toContain('"code":"invalid_parameter"');
    expect(answer).not.toContain('nonsense');
  });

  it('gets 431 for headers above their bound', async () => {
    const answer = await raw(`GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('gets 400 for two lengths of one body', async () => {
    const answer = await raw(
      'POST /v1/conversations HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('gets 413 for a body that turns out too long, and is closed', async () => {
    const token = await mintToken({ sub: 'alice' });
    const chunk = `${(4096).toString(16)}\r\n${' '.repeat(4096)}\r\n`;
    const answer = await raw(
      `POST /v1/conversations/${randomUUID()}/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n` +
        `content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n${chunk.repeat(4)}0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('"code":"payload_too_large"');
  });
});
