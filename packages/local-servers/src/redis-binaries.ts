import path from 'node:path';
import type { Progress } from './cache.ts';
import { hasDebianPackages, libraryPath, unpackDebianPackages, wrapProgram } from './debian-packages.ts';
import { findOnPath } from './find-on-path.ts';
import { run } from './processes.ts';

export interface RedisBinaries {
  server: string;
  cli: string;
}

const MAJOR_MIN = 7;

/**
 * `redis-server` and `redis-cli` (or Valkey's) of at least Redis 7.0: the machine's own, else unpacked into
 * `.cache/` from the distribution's packages. No npm package carries a server that runs everywhere.
 */
export async function ensureRedis(options: { progress: Progress }): Promise<RedisBinaries> {
  const found = await onPath();
  if (found !== undefined) return found;
  if (!hasDebianPackages()) {
    throw new Error(
      `no Redis ${MAJOR_MIN} or newer (or Valkey) on PATH. Install it (macOS: "brew install redis"; ` +
        'Fedora: "dnf install valkey"), or set REDIS_URL to one that runs.',
    );
  }
  const dir = await unpackDebianPackages({
    name: 'redis',
    progress: options.progress,
    packages: () => Promise.resolve(['redis-server', 'redis-tools']),
  });
  const libraries = await libraryPath(dir);
  const wrap = (name: string): Promise<string> =>
    wrapProgram({ name, program: path.join(dir, 'usr/bin', name), libraries });
  const server = await wrap('redis-server');
  const cli = await wrap('redis-cli');
  const major = await majorVersion(server);
  if (major < MAJOR_MIN) {
    throw new Error(
      `this distribution packages Redis ${major}, and at least ${MAJOR_MIN} is needed: ` +
        'put a newer redis-server or valkey-server on PATH, or set REDIS_URL to one that runs.',
    );
  }
  return { server, cli };
}

async function onPath(): Promise<RedisBinaries | undefined> {
  const server = findOnPath('redis-server', 'valkey-server');
  const cli = findOnPath('redis-cli', 'valkey-cli');
  if (server === undefined || cli === undefined) return undefined;
  return (await majorVersion(server)) < MAJOR_MIN ? undefined : { server, cli };
}

async function majorVersion(server: string): Promise<number> {
  const printed = await run({ file: server, args: ['--version'] });
  return Number(/\bv=(\d+)\./.exec(printed)?.[1] ?? 0);
}
