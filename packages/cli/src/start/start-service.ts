import { portIsFree, ServerProcess, stateDir, workspaceDir } from '@sanctum/local-servers';
import { loadConfig, type Config } from '@sanctum/messaging/config';
import { keptSecret } from '@sanctum/messaging/kept-secret';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

type Settings = Record<string, string>;

const READY_TIMEOUT_MS = 1_000;
/** What closing connections and pools takes beyond the drain. */
const DRAIN_MARGIN_MS = 5_000;

/** A setting of the environment; an empty one counts as none. */
export function given(name: string): string | undefined {
  return process.env[name] === '' ? undefined : process.env[name];
}

/** What `sanctum start` sets beside the two servers; the environment overrides each. */
export function serviceSettings(): Settings {
  const hasKey = ['JWT_JWKS_URL', 'JWT_PUBLIC_KEY', 'JWT_SECRET'].some((name) => given(name) !== undefined);
  return {
    // For this machine alone: the demo gives tokens to whoever asks.
    HTTP_HOST: given('HTTP_HOST') ?? '127.0.0.1',
    DISPATCHER_ENABLED: given('DISPATCHER_ENABLED') ?? 'true',
    CONSUMER_ENABLED: given('CONSUMER_ENABLED') ?? 'true',
    // There is no other pod that clients could move to: Ctrl-C is not kept waiting for them.
    SHUTDOWN_GRACE_MS: given('SHUTDOWN_GRACE_MS') ?? '3000',
    // Also where NODE_ENV is `production`, in which the service has no defaults of its own for these.
    JWT_ISSUER: given('JWT_ISSUER') ?? 'sanctum',
    JWT_AUDIENCE: given('JWT_AUDIENCE') ?? 'sanctum-messaging',
    // Anybody may be one of the demo's people where nobody else's tokens are at stake.
    DEMO_TOKENS: given('DEMO_TOKENS') ?? String(!hasKey && given('NODE_ENV') !== 'production'),
    ...(hasKey ? {} : { JWT_SECRET: keptSecret(path.join(stateDir, 'jwt-secret')) }),
  };
}

/** The settings as the service will read them. A wrong one, or a port in use, is told before anything starts. */
export async function checkedSettings(settings: Settings): Promise<Config> {
  // What is not given will be ours, and right.
  const servers = { POSTGRES_URL: 'postgres://127.0.0.1/sanctum', REDIS_URL: 'redis://127.0.0.1' };
  const config = loadConfig({ ...servers, ...process.env, ...settings });
  await assertFree('HTTP_PORT', config.http.port);
  await assertFree('ADMIN_PORT', config.http.adminPort);
  return config;
}

/** Starts the service, which applies what migrations are missing; ready means that its `/readyz` says so. */
export async function startService(options: {
  port: number;
  /** How long it may take to drain. */
  drainMs: number;
  env: Settings;
  logFile: string;
  abort: AbortSignal;
}): Promise<ServerProcess> {
  const { port, drainMs, env, logFile, abort } = options;
  const main = import.meta.resolve('@sanctum/messaging/main');
  const loader = main.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [];
  const service = new ServerProcess({
    name: 'the messaging service',
    command: {
      file: process.execPath,
      args: [...loader, fileURLToPath(main), '--migrate'],
      env,
      cwd: workspaceDir,
    },
    port,
    logFile,
    stopSignal: 'SIGTERM',
    stopGraceMs: drainMs + DRAIN_MARGIN_MS,
    isReady: () => isReady(`http://127.0.0.1:${port}/readyz`),
  });
  await service.start(abort);
  return service;
}

async function assertFree(name: string, port: number): Promise<void> {
  if (port === 0) throw new Error(`${name}: given "0"; allowed here: a port that can be told to others`);
  if (await portIsFree(port)) return;
  const remedy = `set ${name} to a free one, as in "${name}=${port + 100} npm start"`;
  throw new Error(`port ${port} is in use by another program: ${remedy}`);
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(READY_TIMEOUT_MS) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
