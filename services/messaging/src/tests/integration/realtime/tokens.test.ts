import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mintToken, TEST_JWT } from '../../support/tokens.ts';
import { RealtimeWorld, type PodAtHand } from './support/realtime-world.ts';

let world: RealtimeWorld;
let withoutKeys: PodAtHand;
beforeAll(async () => {
  world = await RealtimeWorld.start();
  // Nobody listens on port 1: the keys cannot be had.
  withoutKeys = await world.startPod({ env: { JWT_SECRET: '', JWT_JWKS_URL: 'http://127.0.0.1:1/keys' } });
});
afterAll(() => world.end());

const nowS = () => Math.floor(Date.now() / 1000);
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = () => ({ sub: 'somebody', iss: TEST_JWT.issuer, aud: TEST_JWT.audience, exp: nowS() + 60 });

const REFUSED = [
  ['garbage', () => 'garbage', 'token_invalid', 4501],
  ['three parts of garbage', () => 'a.b.c', 'token_invalid', 4501],
  ['alg none', () => `${part({ alg: 'none' })}.${part(claims())}.`, 'token_invalid', 4501],
  [
    'another key',
    () => mintToken({ sub: 'somebody' }, 'another-secret-of-32-bytes-or-longer'),
    'token_invalid',
    4501,
  ],
  ['another audience', () => mintToken({ sub: 'somebody', aud: 'another' }), 'token_invalid', 4501],
  ['another issuer', () => mintToken({ sub: 'somebody', iss: 'another' }), 'token_invalid', 4501],
  ['no expiry', () => mintToken({ sub: 'somebody', exp: null }), 'token_invalid', 4501],
  ['an empty user id', () => mintToken({ sub: '' }), 'token_invalid', 4501],
  ['more than 8 KiB', () => mintToken({ sub: 'somebody', scope: 'x'.repeat(8192) }), 'token_invalid', 4501],
  ['an expiry in the past', () => mintToken({ sub: 'somebody', exp: nowS() - 10 }), 'token_expired', 4401],
] as const;

describe.each(REFUSED)('a token with %s', (_what, mint, code, closeCode) => {
  it(`in the upgrade closes with ${closeCode} before anything was said`, async () => {
    const socket = await world.open({ token: await mint() });
    expect(await socket.closed).toEqual({ code: closeCode, reason: '' });
    expect(socket.frames).toEqual([{ type: 'error', code }]);
  });

  it(`in hello closes with ${closeCode}`, async () => {
    const socket = await world.open();
    socket.send({ type: 'hello', token: await mint() });
    expect(await socket.closed).toEqual({ code: closeCode, reason: '' });
    expect(socket.frames).toEqual([{ type: 'error', code }]);
  });
});

it('no token at all closes with 4501', async () => {
  const socket = await world.open();
  socket.send({ type: 'hello' });
  expect(await socket.closed).toEqual({ code: 4501, reason: '' });
  expect(socket.frames).toEqual([{ type: 'error', code: 'token_missing' }]);
});

it('an Authorization of another scheme closes with 4501', async () => {
  const socket = await world.open({ headers: { authorization: 'Basic c29tZWJvZHk6c2VjcmV0' } });
  expect(await socket.closed).toEqual({ code: 4501, reason: '' });
  expect(socket.frames).toEqual([{ type: 'error', code: 'token_invalid' }]);
});

it('a token in the upgrade and another in hello close with 4500', async () => {
  const userId = world.user();
  const socket = await world.open({ userId });
  socket.send({ type: 'hello', token: await mintToken({ sub: userId }) });
  expect(await socket.closed).toEqual({ code: 4500, reason: '' });
  expect(socket.frames).toEqual([]);
});

it('a token in the query string is not looked at', async () => {
  const token = await mintToken({ sub: world.user() });
  const socket = await world.open({ url: `${world.pod.wsUrl}?token=${token}&access_token=${token}` });
  socket.send({ type: 'hello' });
  expect(await socket.closed).toEqual({ code: 4501, reason: '' });
  expect(socket.frames).toEqual([{ type: 'error', code: 'token_missing' }]);
});

it('a key that cannot be had now is no verdict: 1013, with a hint when to come again', async () => {
  const token = `${part({ alg: 'RS256', kid: 'k1' })}.${part(claims())}.AAAA`;
  const socket = await world.open({ token, on: withoutKeys });
  const { code, reason } = await socket.closed;
  expect(code).toBe(1013);
  const { retry_after_ms: retryAfterMs } = JSON.parse(reason) as { retry_after_ms: number };
  expect(retryAfterMs).toBeGreaterThanOrEqual(1000);
  expect(socket.frames).toEqual([{ type: 'error', code: 'unavailable' }]);
});

it('a token that expires while connected closes with 4401', async () => {
  const client = await world.connectCaughtUp(world.user(), { claims: { exp: nowS() + 30 } });
  await world.pod.clock.leap(28_000);
  await client.ping();
  await world.pod.clock.leap(3000);
  expect(await client.untilClosed()).toEqual({ code: 4401, reason: '', retryAfterMs: undefined });
});
