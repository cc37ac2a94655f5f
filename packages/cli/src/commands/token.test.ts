import { generateKeyPairSync } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { expect, test } from 'vitest';
import { runCli } from '../cli.ts';
import { JWT_ENV } from '../tests/ids.ts';
import { ManualClock } from '../tests/manual-clock.ts';
import { TestShell } from '../tests/test-shell.ts';

const NOW_MS = Date.UTC(2025, 1, 3, 4, 5, 6, 789);
const SECRET = new TextEncoder().encode(JWT_ENV.JWT_SECRET);

async function token(args: string[], env: Record<string, string> = JWT_ENV): Promise<TestShell> {
  const shell = new TestShell({ env, clock: new ManualClock({ nowMs: NOW_MS }) });
  expect(await runCli(['token', ...args], shell)).toBe(0);
  return shell;
}

test('it prints a token that the service accepts, and nothing else', async () => {
  const shell = await token(['--sub', 'alice']);
  expect(shell.out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  expect(decodeProtectedHeader(shell.out.trim())).toEqual({ alg: 'HS256', typ: 'JWT' });
  const { payload } = await jwtVerify(shell.out.trim(), SECRET, {
    issuer: 'sanctum',
    audience: 'sanctum-messaging',
    currentDate: new Date(NOW_MS),
  });
  const iat = Math.floor(NOW_MS / 1000);
  expect(payload).toEqual({ sub: 'alice', iss: 'sanctum', aud: 'sanctum-messaging', iat, exp: iat + 3600 });
});

test('scopes, login, duration, issuer and audience are taken', async () => {
  const env = { ...JWT_ENV, JWT_ISSUER: 'https://login.example', JWT_AUDIENCE: 'chat' };
  const scope = 'messaging:manage messaging:operate';
  const shell = await token(['--sub', 'op', '--scope', scope, '--ttl', '15m', '--sid', 's1', '--json'], env);
  const value = shell.values[0] as { token: string };
  expect(value).toMatchObject({
    sub: 'op',
    scope: ['messaging:manage', 'messaging:operate'],
    sid: 's1',
    expires_at: '2025-02-03T04:20:06.000Z',
  });
  const { payload } = await jwtVerify(value.token, SECRET, { currentDate: new Date(NOW_MS) });
  expect(payload).toMatchObject({ scope, sid: 's1', iss: 'https://login.example', aud: 'chat' });
});

test('where the service checks with a public key, none can be made here', async () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  for (const [name, value] of [
    ['JWT_PUBLIC_KEY', pem],
    ['JWT_JWKS_URL', 'https://login.example/jwks'],
  ] as const) {
    const shell = new TestShell({ env: { [name]: value } });
    expect(await runCli(['token', '--sub', 'alice'], shell)).toBe(1);
    expect(shell.err).toContain(`${name} is set`);
    expect(shell.out).toBe('');
  }
});

test('a secret that the service would refuse is refused, and not shown', async () => {
  const shell = new TestShell({ env: { JWT_SECRET: 'too-short' } });
  expect(await runCli(['token', '--sub', 'alice'], shell)).toBe(2);
  expect(shell.err).toContain('JWT_SECRET');
  expect(shell.err).not.toContain('too-short');
});

test('a scope with a typing error is no scope', async () => {
  const shell = new TestShell({ env: JWT_ENV });
  expect(await runCli(['token', '--sub', 'op', '--scope', 'messaging:operator'], shell)).toBe(2);
  expect(shell.err).toContain('messaging:operate');
});
