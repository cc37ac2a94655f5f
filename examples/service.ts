/** What the examples stand in for: where your service is, and how your users log in. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** `SANCTUM_URL`, else where `npm start` runs in this clone. */
export const serviceUrl = process.env['SANCTUM_URL'] ?? running()?.http ?? 'http://127.0.0.1:8083';

/** `REDIS_URL`, else the Redis of `npm start` in this clone. */
export const redisUrl = process.env['REDIS_URL'] ?? running()?.redis ?? 'redis://127.0.0.1:6379';

/**
 * A token, as your own login would issue it: that of `TOKEN`, else one by `sanctum token`, which signs with the secret
 * that the service on this machine checks with.
 */
export async function login(
  userId: string,
  scope?: 'messaging:manage' | 'messaging:operate',
): Promise<string> {
  if (process.env['TOKEN'] !== undefined) return process.env['TOKEN'];
  const sanctum = `${ROOT}packages/cli/bin/sanctum.mjs`;
  const args = [sanctum, 'token', '--sub', userId, ...(scope === undefined ? [] : ['--scope', scope])];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout.trim();
}

function running(): { http: string; redis: string } | undefined {
  try {
    const run = JSON.parse(readFileSync(`${ROOT}.sanctum/run.json`, 'utf8')) as { urls?: never };
    return run.urls;
  } catch {
    return undefined;
  }
}
