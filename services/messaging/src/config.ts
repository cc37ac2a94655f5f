import { join } from 'node:path';
import { assertBounds } from './bounds.ts';
import { type Values, type Variable, type VariableName, variables } from './config-variables.ts';
import { keptSecret, stateFolder } from './kept-secret.ts';

export { bounds } from './bounds.ts';

/** What verifies tokens: exactly one of the three. */
export type VerifyingKey =
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'public_key'; readonly pem: string }
  | { readonly kind: 'jwks'; readonly url: string };

export type Config = ReturnType<typeof loadConfig>;

/** The start stops here: one line for each wrong or missing variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.lines = lines;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings. An empty variable counts as not set. Outside production what is missing of `JWT_*` has
 * defaults, the secret among them kept in `stateFolder`.
 * @throws ConfigError
 */
export function loadConfig(env: Environment, options: { readonly stateFolder?: string } = {}) {
  assertBounds();
  const lines: string[] = [];
  const warnings: string[] = [];
  const isProduction = env['NODE_ENV'] === 'production';
  const values = readAll(env, lines);
  const refuse = (name: VariableName) => lines.push(lineFor(name, env));

  for (const name of ['POSTGRES_URL', 'REDIS_URL'] as const) {
    const fallback = name === 'POSTGRES_URL' ? given(env, 'DATABASE_URL') : undefined;
    if (given(env, name) === undefined && fallback === undefined) refuse(name);
  }
  if (differ(given(env, 'POSTGRES_URL'), given(env, 'DATABASE_URL'))) {
    warnings.push('POSTGRES_URL and DATABASE_URL are both set and differ: POSTGRES_URL is used');
  }
  if (isProduction) {
    for (const name of ['JWT_ISSUER', 'JWT_AUDIENCE'] as const)
      if (given(env, name) === undefined) refuse(name);
  }
  const keys = (['JWT_JWKS_URL', 'JWT_PUBLIC_KEY', 'JWT_SECRET'] as const).filter((name) => given(env, name));
  const oneKey = 'exactly one of JWT_JWKS_URL, JWT_PUBLIC_KEY and JWT_SECRET';
  if (keys.length > 1)
    for (const name of keys) lines.push(`${name}: ${shown(name, env)}; allowed: ${oneKey}`);
  if (keys.length === 0 && isProduction) lines.push(`JWT_SECRET: not set; allowed: ${oneKey}`);
  if (values.HTTP_PORT !== undefined && values.HTTP_PORT !== 0 && values.HTTP_PORT === values.ADMIN_PORT) {
    lines.push(`ADMIN_PORT: ${shown('ADMIN_PORT', env)}; allowed: another port than HTTP_PORT`);
  }
  if (values.DEMO_TOKENS === true && (isProduction || keys.some((name) => name !== 'JWT_SECRET'))) {
    lines.push(
      isProduction
        ? 'DEMO_TOKENS: given "true"; allowed: false in production, since anybody could log in'
        : 'DEMO_TOKENS: given "true"; allowed: false with a public key, which signs no tokens',
    );
  }
  if (values.REDIS_CLUSTER === true) {
    lines.push(
      'REDIS_CLUSTER: given "true"; allowed: false, since this version does not speak to a Redis Cluster',
    );
  }
  if (lines.length > 0) throw new ConfigError(lines);

  const all = values as Values;
  if (all.CONSUMER_ENABLED && !all.DISPATCHER_ENABLED) {
    warnings.push(
      'CONSUMER_ENABLED without DISPATCHER_ENABLED: nothing arrives unless another pod dispatches',
    );
  }
  if (isProduction && all.JWT_JWKS_URL?.startsWith('http:')) {
    warnings.push('JWT_JWKS_URL is not https: whoever is between can put in keys of their own');
  }
  return {
    isProduction,
    warnings: warnings as readonly string[],
    postgres: { url: (all.POSTGRES_URL ?? all.DATABASE_URL)! },
    redis: { url: all.REDIS_URL! },
    stream: {
      name: all.DISPATCH_STREAM_NAME,
      partitions: all.DISPATCH_STREAM_PARTITIONS,
      maxLength: all.REDIS_STREAM_MAXLEN,
    },
    dispatcher: {
      enabled: all.DISPATCHER_ENABLED,
      tickMs: all.DISPATCH_TICK_MS,
      batchSize: all.DISPATCH_BATCH_SIZE,
      maxAttempts: all.DISPATCH_MAX_ATTEMPTS,
    },
    consumer: {
      enabled: all.CONSUMER_ENABLED,
      group: all.CONSUMER_GROUP_NAME,
      name: all.CONSUMER_NAME,
      batchSize: all.CONSUMER_BATCH_SIZE,
      blockMs: all.CONSUMER_BLOCK_MS,
      claimIdleMs: all.CONSUMER_CLAIM_IDLE_MS,
    },
    http: { host: all.HTTP_HOST, port: all.HTTP_PORT, adminPort: all.ADMIN_PORT },
    websocket: {
      heartbeatMs: all.WEBSOCKET_HEARTBEAT_INTERVAL_MS,
      maxClients: all.WEBSOCKET_MAX_CLIENTS,
      /** undefined: the same origin only. */
      allowedOrigins: all.WEBSOCKET_ALLOWED_ORIGINS,
    },
    auth: {
      issuer: all.JWT_ISSUER ?? 'sanctum',
      audience: all.JWT_AUDIENCE ?? 'sanctum-messaging',
      key: verifyingKey(all, options.stateFolder),
    },
    demo: { issuesTokens: all.DEMO_TOKENS },
    retention: { outboxDays: all.OUTBOX_RETENTION_DAYS, dlqDays: all.DLQ_RETENTION_DAYS },
    payloadMaxBytes: all.PAYLOAD_MAX_BYTES,
    shutdownGraceMs: all.SHUTDOWN_GRACE_MS,
    logLevel: all.LOG_LEVEL,
  };
}

function readAll(env: Environment, lines: string[]): Partial<Values> {
  const values: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries(variables) as [VariableName, Variable<unknown>][]) {
    if (name === 'DATABASE_URL' && given(env, 'POSTGRES_URL') !== undefined) continue;
    const result = variable.schema.safeParse(given(env, name));
    if (result.success) values[name] = result.data;
    else lines.push(lineFor(name, env));
  }
  return values;
}

function verifyingKey(values: Values, folder: string | undefined): VerifyingKey {
  if (values.JWT_JWKS_URL !== undefined) return { kind: 'jwks', url: values.JWT_JWKS_URL };
  if (values.JWT_PUBLIC_KEY !== undefined) return { kind: 'public_key', pem: values.JWT_PUBLIC_KEY };
  return {
    kind: 'secret',
    secret: values.JWT_SECRET ?? keptSecret(join(folder ?? stateFolder(), 'jwt-secret')),
  };
}

function given(env: Environment, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name];
}

function differ(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other;
}

function lineFor(name: VariableName, env: Environment): string {
  return `${name}: ${shown(name, env)}; allowed: ${variables[name].allowed}`;
}

/** What was given, in one line of bounded length, without anything secret. */
function shown(name: VariableName, env: Environment): string {
  const value = given(env, name);
  if (value === undefined) return 'not set';
  if (variables[name].shown === 'plain') return `given ${JSON.stringify(value.slice(0, 80))}`;
  if (variables[name].shown === 'secret' || !URL.canParse(value)) return 'set, not shown';
  const { protocol, host, pathname } = new URL(value);
  // `user:password@host` is a URL of the protocol `user:`.
  if (host === '') return 'set, not shown';
  return `given ${JSON.stringify(`${protocol}//${host}${pathname}`.slice(0, 80))}`;
}
