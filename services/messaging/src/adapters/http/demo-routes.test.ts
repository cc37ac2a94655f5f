import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpClient } from '../../tests/support/http-client.ts';
import { type HttpFixture, startHttpFixture } from '../../tests/support/http-fixture.ts';
import { TEST_JWT } from '../../tests/support/tokens.ts';

const PAGE = '<!doctype html><title>demo</title>';

let folder: string;
let http: HttpFixture;
let anyone: HttpClient;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'demo-'));
  writeFileSync(path.join(folder, 'index.html'), PAGE);
  writeFileSync(path.join(folder, 'index-A1b2C3d4.js'), 'export {}');
  http = await startHttpFixture({ demo: { folder: pathToFileURL(`${folder}/`), signing: TEST_JWT } });
  anyone = new HttpClient(http.url);
});
afterAll(async () => {
  anyone.close();
  await http.close();
  rmSync(folder, { recursive: true });
});

describe('the page', () => {
  it.each(['/demo', '/demo/', '/demo?once'])(
    'is at %s, and may load only what is its own',
    async (address) => {
      const { status, text, headers } = await anyone.request('GET', address);
      expect([status, text]).toEqual([200, PAGE]);
      expect(headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-cache',
        'x-frame-options': 'DENY',
      });
      expect(headers['content-security-policy']).toMatch(
        /^default-src 'none'; script-src 'self'; (?!.*unsafe)/,
      );
    },
  );

  it('has files, kept for ever where their name has a hash, and no others', async () => {
    const { status, headers } = await anyone.request('GET', '/demo/index-A1b2C3d4.js');
    expect([status, headers['content-type']]).toEqual([200, 'text/javascript; charset=utf-8']);
    expect(headers['cache-control']).toContain('immutable');
    for (const address of ['/demo/none.js', '/demo/..%2Fpackage.json', '/demo/token']) {
      expect((await anyone.request('GET', address)).problem?.code).toBe('not_found');
    }
  });

  it('says so where it was not built', async () => {
    const other = await startHttpFixture();
    const client = new HttpClient(other.url);
    const { status, text } = await client.request('GET', '/demo');
    expect([status, text]).toEqual([404, expect.stringContaining('pnpm build:pages')]);
    client.close();
    await other.close();
  });
});

describe('a token', () => {
  const ask = (body: unknown, headers: Record<string, string> = {}) =>
    anyone.request<{ token: string; expires_at: string }>('POST', '/demo/token', { body, headers });

  it('is for a user of the demo, for ten minutes, and the service takes it', async () => {
    const { status, headers, body } = await ask({ user_id: 'demo-5e1c' });
    expect([status, headers['cache-control']]).toEqual([200, 'no-store']);
    const claims = JSON.parse(Buffer.from(body.token.split('.')[1]!, 'base64url').toString()) as object;
    const { iat, exp, ...others } = claims as { iat: number; exp: number };
    expect(others).toEqual({ sub: 'demo-5e1c', iss: TEST_JWT.issuer, aud: TEST_JWT.audience });
    expect(exp - iat).toBe(600);
    expect(Date.parse(body.expires_at)).toBe(exp * 1000);
    expect((await anyone.as(body.token).request('GET', '/v1/conversations')).status).toBe(200);
  });

  it.each(['alice', 'demo-', 'demo', 'x-demo-1', 'demo-A', 'demo-1\nalice', `demo-${'a'.repeat(60)}`])(
    'is not for %j',
    async (user_id) => expect((await ask({ user_id })).problem?.code).toBe('invalid_body'),
  );

  it('has no scopes, whatever is asked for', async () => {
    const answer = await ask({ user_id: 'demo-1', scope: 'messaging:operate' });
    expect(answer.problem?.code).toBe('unknown_field');
  });

  it('is not for pages of another origin', async () => {
    const answer = await ask({ user_id: 'demo-1' }, { origin: 'https://evil.example' });
    expect(answer.problem?.code).toBe('origin_denied');
  });

  it('is for nobody where it was not switched on', async () => {
    const other = await startHttpFixture();
    const client = new HttpClient(other.url);
    const answer = await client.request('POST', '/demo/token', { body: { user_id: 'demo-1' } });
    expect(answer.problem?.code).toBe('not_found');
    client.close();
    await other.close();
  });
});
