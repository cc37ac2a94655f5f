import { ServerProcess, portIsFree, workspaceDir } from '@sanctum/local-servers';
import { fileURLToPath } from 'node:url';

const READY_TIMEOUT_MS = 1_000;
const DRAIN_DEFAULT_MS = 25_000;
/** What closing connections and pools takes beyond the drain. */
const DRAIN_MARGIN_MS = 5_000;

/** Starts the service with the given environment; ready means that its own `/readyz` says so. */
export async function startService(
  env: Record<string, string>,
  logFile: string,
  abort: AbortSignal,
): Promise<ServerProcess> {
  const port = Number(env['HTTP_PORT']);
  for (const name of ['HTTP_PORT', 'ADMIN_PORT']) await assertFree(name, Number(env[name]));
  const main = import.meta.resolve('@sanctum/messaging/main');
  const loader = main.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [];
  const service = new ServerProcess({
    name: 'the messaging service',
    command: { file: process.execPath, args: [...loader, fileURLToPath(main)], env, cwd: workspaceDir },
    port,
    logFile,
    stopSignal: 'SIGTERM',
    stopGraceMs: Number(env['SHUTDOWN_GRACE_MS'] ?? DRAIN_DEFAULT_MS) + DRAIN_MARGIN_MS,
    isReady: () => isReady(`http://127.0.0.1:${port}/readyz`),
  });
  await service.start(abort);
  return service;
}

async function assertFree(name: string, port: number): Promise<void> {
  if (await portIsFree(port)) return;
  throw new Error(
    `port ${port} is in use by another program: set ${name} to a free one, as in "${name}=${port + 100} npm start"`,
  );
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
