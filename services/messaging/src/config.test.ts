import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Config, ConfigError, loadConfig } from './config.ts';

const URLS = { POSTGRES_URL: 'postgres://app:pw@db/app', REDIS_URL: 'redis://:pw@cache' };
const SECRET = 's'.repeat(32);
const PRODUCTION = {
  ...URLS,
  NODE_ENV: 'production',
  JWT_ISSUER: 'i',
  JWT_AUDIENCE: 'a',
  JWT_SECRET: SECRET,
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const load = (env: Record<string, string | undefined>): Config => loadConfig(env, { stateFolder: folder });

function linesOf(env: Record<string, string | undefined>): readonly string[] {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.lines;
    throw error;
  }
  return [];
}

describe('defaults', () => {
  it('are those of the runbook', () => {
    const { auth, ...config } = load(URLS);
    expect(config).toEqual({
      isProduction: false,
      warnings: [],
      postgres: { url: URLS.POSTGRES_URL },
      redis: { url: URLS.REDIS_URL },
      stream: { name: 'sanctum:messages', partitions: 1, maxLength: 1_000_000 },
      dispatcher: { enabled: false, tickMs: 100, batchSize: 256, maxAttempts: 10 },
      consumer: {
        enabled: false,
        group: 'messaging-hub',
        name: 'consumer-1',
        batchSize: 128,
        blockMs: 1000,
        claimIdleMs: 5000,
      },
      http: { host: '0.0.0.0', port: 8083, adminPort: 8084 },
      websocket: { heartbeatMs: 30_000, maxClients: 10_000, allowedOrigins: undefined },
      demo: { issuesTokens: false },
      retention: { outboxDays: 7, dlqDays: 30 },
      payloadMaxBytes: 65_536,
      shutdownGraceMs: 25_000,
      logLevel: 'info',
    });
    const secret = readFileSync(join(folder, 'jwt-secret'), 'utf8');
    expect(auth).toEqual({
      issuer: 'sanctum',
      audience: 'sanctum-messaging',
      key: { kind: 'secret', secret },
    });
    expect(load(URLS).auth).toEqual(auth);
  });

  it('stand for an empty variable too', () => {
    expect(load({ ...URLS, DISPATCH_TICK_MS: '', CONSUMER_ENABLED: '' })).toMatchObject({
      dispatcher: { tickMs: 100 },
      consumer: { enabled: false },
    });
  });
});

describe('given values', () => {
  it('are read', () => {
    const config = load({
      ...URLS,
      DISPATCHER_ENABLED: 'true',
      CONSUMER_ENABLED: 'true',
      CONSUMER_NAME: 'messaging-7f9c',
      DISPATCH_BATCH_SIZE: '10',
      HTTP_PORT: '0',
      ADMIN_PORT: '0',
      LOG_LEVEL: 'debug',
      WEBSOCKET_ALLOWED_ORIGINS: 'https://App.example, http://localhost:5173',
      JWT_ISSUER: 'https://id.example/',
      JWT_SECRET: SECRET,
    });
    expect(config).toMatchObject({
      dispatcher: { enabled: true, batchSize: 10 },
      consumer: { enabled: true, name: 'messaging-7f9c' },
      http: { port: 0, adminPort: 0 },
      logLevel: 'debug',
      websocket: { allowedOrigins: ['https://app.example', 'http://localhost:5173'] },
      auth: {
        issuer: 'https://id.example/',
        audience: 'sanctum-messaging',
        key: { kind: 'secret', secret: SECRET },
      },
      warnings: [],
    });
  });

  it('of DATABASE_URL stand where POSTGRES_URL is not set', () => {
    const { REDIS_URL } = URLS;
    expect(load({ REDIS_URL, DATABASE_URL: 'postgres://db/two' })).toMatchObject({
      postgres: { url: 'postgres://db/two' },
      warnings: [],
    });
  });

  it('of POSTGRES_URL win over another DATABASE_URL, with one warning', () => {
    const config = load({ ...URLS, DATABASE_URL: 'postgres://db/two' });
    expect(config.postgres.url).toBe(URLS.POSTGRES_URL);
    expect(config.warnings).toEqual([
      'POSTGRES_URL and DATABASE_URL are both set and differ: POSTGRES_URL is used',
    ]);
    expect(load({ ...URLS, DATABASE_URL: URLS.POSTGRES_URL }).warnings).toEqual([]);
  });

  it('may switch on the consumer alone, with a warning', () => {
    expect(load({ ...URLS, CONSUMER_ENABLED: 'true' }).warnings).toHaveLength(1);
  });

  it('take a public key with escaped line ends', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const { auth } = load({
      ...PRODUCTION,
      JWT_SECRET: undefined,
      JWT_PUBLIC_KEY: pem.replaceAll('\n', '\\n'),
    });
    expect(auth.key).toEqual({ kind: 'public_key', pem });
  });

  it('warn of keys that come in the clear in production', () => {
    const JWT_JWKS_URL = 'http://id.example/jwks';
    expect(load({ ...PRODUCTION, JWT_SECRET: undefined, JWT_JWKS_URL }).warnings).toHaveLength(1);
  });
});

describe('tokens for the demo', () => {
  it('are given out where that was asked for', () => {
    expect(load({ ...URLS, DEMO_TOKENS: 'true' }).demo).toEqual({ issuesTokens: true });
  });

  it('are refused in production, and where a public key verifies', () => {
    expect(linesOf({ ...PRODUCTION, DEMO_TOKENS: 'true' })).toEqual([
      'DEMO_TOKENS: given "true"; allowed: false in production, since anybody could log in',
    ]);
    expect(linesOf({ ...URLS, DEMO_TOKENS: 'true', JWT_JWKS_URL: 'https://id.example/jwks' })).toEqual([
      'DEMO_TOKENS: given "true"; allowed: false with a public key, which signs no tokens',
    ]);
    expect(load({ ...PRODUCTION, DEMO_TOKENS: 'false' }).demo).toEqual({ issuesTokens: false });
  });
});

describe('a wrong value', () => {
  it.each([
    ['DISPATCHER_ENABLED', '1', 'DISPATCHER_ENABLED: given "1"; allowed: true or false (default false)'],
    [
      'CONSUMER_BLOCK_MS',
      '10001',
      'CONSUMER_BLOCK_MS: given "10001"; allowed: an integer, 1 … 10000 (default 1000)',
    ],
    ['DISPATCH_TICK_MS', '0', 'DISPATCH_TICK_MS: given "0"; allowed: an integer, 1 … 10000 (default 100)'],
    [
      'DISPATCH_TICK_MS',
      '1e3',
      'DISPATCH_TICK_MS: given "1e3"; allowed: an integer, 1 … 10000 (default 100)',
    ],
    ['HTTP_PORT', '65536', 'HTTP_PORT: given "65536"; allowed: an integer, 0 … 65535 (default 8083)'],
    ['ADMIN_PORT', '8083', 'ADMIN_PORT: given "8083"; allowed: another port than HTTP_PORT'],
    [
      'REDIS_CLUSTER',
      'true',
      'REDIS_CLUSTER: given "true"; allowed: false, since this version does not speak to a Redis Cluster',
    ],
    ['LOG_LEVEL', 'loud', 'LOG_LEVEL: given "loud"; allowed: debug, info, warn, error (default info)'],
    [
      'CONSUMER_NAME',
      '$(POD_NAME)',
      'CONSUMER_NAME: given "$(POD_NAME)"; allowed: 1–200 printable characters without spaces, not literally $(POD_NAME) (default consumer-1)',
    ],
    [
      'WEBSOCKET_ALLOWED_ORIGINS',
      'https://app.example/path',
      'WEBSOCKET_ALLOWED_ORIGINS: given "https://app.example/path"; allowed: origins as https://app.example, parted by commas (default: the same origin)',
    ],
    ['JWT_SECRET', 'too short', 'JWT_SECRET: set, not shown; allowed: at least 32 bytes'],
    [
      'JWT_PUBLIC_KEY',
      'not a key',
      'JWT_PUBLIC_KEY: set, not shown; allowed: a PEM public key: RSA of at least 2048 bits, P-256 or Ed25519',
    ],
    [
      'REDIS_URL',
      'http://user:pw@cache/0?password=pw',
      'REDIS_URL: given "http://cache/0"; allowed: a redis:// or rediss:// URL',
    ],
    ['REDIS_URL', 'user:pw@cache', 'REDIS_URL: set, not shown; allowed: a redis:// or rediss:// URL'],
    ['POSTGRES_URL', 'not a url', 'POSTGRES_URL: set, not shown; allowed: a postgres:// URL'],
  ])('of %s (%s) stops the start with one line', (name, value, line) => {
    expect(linesOf({ ...URLS, [name]: value })).toEqual([line]);
  });

  it('is named together with all the others', () => {
    const lines = linesOf({ REDIS_STREAM_MAXLEN: '-1', PAYLOAD_MAX_BYTES: '1000000' });
    expect(lines.map((line) => line.split(':')[0]!).sort()).toEqual([
      'PAYLOAD_MAX_BYTES',
      'POSTGRES_URL',
      'REDIS_STREAM_MAXLEN',
      'REDIS_URL',
    ]);
    expect(lines).toContain('REDIS_URL: not set; allowed: a redis:// or rediss:// URL');
  });

  it('never shows a password or a secret', () => {
    const lines = linesOf({
      POSTGRES_URL: 'mysql://app:hunter2@db/app',
      REDIS_URL: 'x://:hunter2@c',
      JWT_SECRET: 'hunter2',
    });
    expect(lines).toHaveLength(3);
    expect(lines.join('\n')).not.toContain('hunter2');
  });

  it('is a private key where a public one belongs', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(linesOf({ ...URLS, JWT_PUBLIC_KEY: pem })).toHaveLength(1);
  });
});

describe('in production', () => {
  it('issuer, audience and a key are required', () => {
    expect(linesOf({ ...URLS, NODE_ENV: 'production' })).toEqual([
      'JWT_ISSUER: not set; allowed: the `iss` of valid tokens',
      'JWT_AUDIENCE: not set; allowed: the `aud` of valid tokens',
      'JWT_SECRET: not set; allowed: exactly one of JWT_JWKS_URL, JWT_PUBLIC_KEY and JWT_SECRET',
    ]);
  });

  it('is as it was set', () => {
    expect(load(PRODUCTION)).toMatchObject({
      isProduction: true,
      auth: { issuer: 'i', audience: 'a' },
      warnings: [],
    });
  });

  it('and elsewhere two keys are one too many', () => {
    const lines = linesOf({ ...URLS, JWT_SECRET: SECRET, JWT_JWKS_URL: 'https://id.example/jwks' });
    expect(lines.map((line) => line.split(':')[0])).toEqual(['JWT_JWKS_URL', 'JWT_SECRET']);
  });
});
