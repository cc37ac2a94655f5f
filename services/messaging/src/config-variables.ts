import { createPublicKey } from 'node:crypto';
import {
  base64Length,
  PAYLOAD_MAX_BYTES_DEFAULT,
  serverFrameMaxBytes,
  CLIENT_ACCEPTS_FRAME_BYTES,
} from '@sanctum/protocol';
import { z } from 'zod';
import { bounds } from './bounds.ts';

/** One variable of the environment: its rule, and what to say of it when it is wrong. */
export interface Variable<T> {
  /** Reads the text; undefined where the variable is not set, or empty. */
  readonly schema: z.ZodType<T, string | undefined>;
  /** In words, for the line about a wrong value. */
  readonly allowed: string;
  /** How a wrong value is shown: as it is, without its password, or not at all. */
  readonly shown: 'plain' | 'url' | 'secret';
}

/** Largest payload whose frame every client accepts. */
const PAYLOAD_MAX_BYTES_LIMIT = 784_896;
if (serverFrameMaxBytes(PAYLOAD_MAX_BYTES_LIMIT) > CLIENT_ACCEPTS_FRAME_BYTES || base64Length(3) !== 4) {
  throw new Error('PAYLOAD_MAX_BYTES_LIMIT: no client would accept such a frame');
}

const NAME_PATTERN = /^[\x21-\x7e]{1,200}$/;
const POD_NAME_UNRESOLVED = '$(POD_NAME)';
const SECRET_MIN_BYTES = 32;
/** A loop that waits for 15 s is taken for stuck, and the pod out of service (operations/loop-watch.ts). */
const LOOP_WAIT_MAX_MS = 10_000;

/** Every variable that the service reads, with its default. */
export const variables = {
  DISPATCHER_ENABLED: flag(false),
  DISPATCH_TICK_MS: integer(100, { min: 1, max: LOOP_WAIT_MAX_MS }),
  DISPATCH_BATCH_SIZE: integer(256, { min: 1, max: 10_000 }),
  DISPATCH_MAX_ATTEMPTS: integer(10, { min: 1, max: 1000 }),
  DISPATCH_STREAM_NAME: name('sanctum:messages'),
  DISPATCH_STREAM_PARTITIONS: integer(1, { min: 1, max: 16 }),

  CONSUMER_ENABLED: flag(false),
  CONSUMER_GROUP_NAME: name('messaging-hub'),
  CONSUMER_NAME: name('consumer-1'),
  CONSUMER_BATCH_SIZE: integer(128, { min: 1, max: 10_000 }),
  CONSUMER_BLOCK_MS: integer(1000, { min: 1, max: LOOP_WAIT_MAX_MS }),
  CONSUMER_CLAIM_IDLE_MS: integer(5000, { min: 100, max: 3_600_000 }),

  REDIS_STREAM_MAXLEN: integer(1_000_000, { min: 1, max: Number.MAX_SAFE_INTEGER }),
  REDIS_URL: url(['redis:', 'rediss:'], 'a redis:// or rediss:// URL'),
  REDIS_CLUSTER: flag(false),
  POSTGRES_URL: url(['postgres:', 'postgresql:'], 'a postgres:// URL'),
  DATABASE_URL: url(['postgres:', 'postgresql:'], 'a postgres:// URL'),

  HTTP_HOST: text('0.0.0.0', /^[A-Za-z0-9.:_-]{1,253}$/, 'a host name or address to listen on'),
  HTTP_PORT: integer(8083, { min: 0, max: 65_535 }),
  ADMIN_PORT: integer(8084, { min: 0, max: 65_535 }),

  WEBSOCKET_HEARTBEAT_INTERVAL_MS: integer(30_000, { min: 100, max: 600_000 }),
  WEBSOCKET_MAX_CLIENTS: integer(10_000, { min: 1, max: 1_000_000 }),
  WEBSOCKET_ALLOWED_ORIGINS: origins(),

  JWT_ISSUER: text(undefined, /^[^\p{Cc}]{1,1000}$/u, 'the `iss` of valid tokens'),
  JWT_AUDIENCE: text(undefined, /^[^\p{Cc}]{1,1000}$/u, 'the `aud` of valid tokens'),
  JWT_JWKS_URL: url(['http:', 'https:'], 'an http:// or https:// URL'),
  JWT_PUBLIC_KEY: publicKey(),
  JWT_SECRET: secret(),
  DEMO_TOKENS: flag(false),

  PAYLOAD_MAX_BYTES: integer(PAYLOAD_MAX_BYTES_DEFAULT, { min: 1, max: PAYLOAD_MAX_BYTES_LIMIT }),
  OUTBOX_RETENTION_DAYS: integer(7, { min: 1, max: 3650 }),
  DLQ_RETENTION_DAYS: integer(30, { min: 1, max: 3650 }),
  SHUTDOWN_GRACE_MS: integer(25_000, { min: bounds.shutdown.graceMinMs, max: 3_600_000 }),
  LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'] as const, 'info'),
} as const;

export type VariableName = keyof typeof variables;
export type Values = { [N in VariableName]: z.output<(typeof variables)[N]['schema']> };

function flag(whenUnset: boolean): Variable<boolean> {
  const schema = z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .prefault(whenUnset ? 'true' : 'false');
  return { schema, allowed: `true or false (default ${whenUnset})`, shown: 'plain' };
}

function integer(whenUnset: number, { min, max }: { min: number; max: number }): Variable<number> {
  const schema = z
    .string()
    .regex(/^(?:0|[1-9][0-9]{0,15})$/)
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .prefault(String(whenUnset));
  return { schema, allowed: `an integer, ${min} … ${max} (default ${whenUnset})`, shown: 'plain' };
}

function text<D extends string | undefined>(
  whenUnset: D,
  pattern: RegExp,
  allowed: string,
): Variable<string | D> {
  const schema = z
    .string()
    .regex(pattern)
    .optional()
    .transform((value) => value ?? whenUnset) as z.ZodType<string | D, string | undefined>;
  return {
    schema,
    allowed: whenUnset === undefined ? allowed : `${allowed} (default ${whenUnset})`,
    shown: 'plain',
  };
}

function name(whenUnset: string): Variable<string> {
  const schema = z
    .string()
    .regex(NAME_PATTERN)
    .refine((value) => value !== POD_NAME_UNRESOLVED)
    .prefault(whenUnset);
  const allowed = `1–200 printable characters without spaces, not literally ${POD_NAME_UNRESOLVED}`;
  return { schema, allowed: `${allowed} (default ${whenUnset})`, shown: 'plain' };
}

function oneOf<const V extends readonly [string, ...string[]]>(
  values: V,
  whenUnset: V[number],
): Variable<V[number]> {
  const schema = z.enum(values).prefault(whenUnset) as unknown as z.ZodType<V[number], string | undefined>;
  return { schema, allowed: `${values.join(', ')} (default ${whenUnset})`, shown: 'plain' };
}

function url(protocols: readonly string[], allowed: string): Variable<string | undefined> {
  const schema = z
    .string()
    .refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol))
    .optional();
  return { schema, allowed, shown: 'url' };
}

function origins(): Variable<readonly string[] | undefined> {
  const origin = z
    .string()
    .trim()
    .toLowerCase()
    .refine((value) => /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value);
  const schema = z
    .string()
    .transform((value) => value.split(','))
    .pipe(z.array(origin))
    .optional();
  return {
    schema,
    allowed: 'origins as https://app.example, parted by commas (default: the same origin)',
    shown: 'plain',
  };
}

function secret(): Variable<string | undefined> {
  const schema = z
    .string()
    .refine((value) => Buffer.byteLength(value) >= SECRET_MIN_BYTES)
    .optional();
  return { schema, allowed: `at least ${SECRET_MIN_BYTES} bytes`, shown: 'secret' };
}

/** A PEM text; many tools can put it into an environment only with `\n` for its line ends. */
function publicKey(): Variable<string | undefined> {
  const schema = z
    .string()
    .transform((value) => value.replaceAll('\\n', '\n'))
    .refine(isVerifyingKey)
    .optional();
  return {
    schema,
    allowed: 'a PEM public key: RSA of at least 2048 bits, P-256 or Ed25519',
    shown: 'secret',
  };
}

function isVerifyingKey(pem: string): boolean {
  // createPublicKey takes a private key too, and derives the public one: a private key has no place here.
  if (!pem.includes('-----BEGIN PUBLIC KEY-----')) return false;
  try {
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPublicKey(pem);
    if (type === 'rsa') return (details?.modulusLength ?? 0) >= 2048;
    return type === 'ed25519' || (type === 'ec' && details?.namedCurve === 'prime256v1');
  } catch {
    return false;
  }
}
