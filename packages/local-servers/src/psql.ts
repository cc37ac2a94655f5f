import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Progress } from './cache.ts';
import {
  hasDebianPackages,
  libraryPath,
  numberedPackages,
  unpackDebianPackages,
  wrapProgram,
} from './debian-packages.ts';
import { findOnPath } from './find-on-path.ts';

/** Programs of PostgreSQL's client package. A dump needs one that is not older than its server. */
export type PostgresTool = 'psql' | 'pg_dump' | 'pg_restore' | 'pg_basebackup';

/** Path of a `psql` that runs: the machine's own, else one unpacked into `.cache/`. */
export function ensurePsql(options: { progress: Progress }): Promise<string> {
  return ensurePostgresTool('psql', options);
}

/** The same for any program of its package. */
export async function ensurePostgresTool(
  tool: PostgresTool,
  options: { progress: Progress },
): Promise<string> {
  const found = findOnPath(tool);
  if (found !== undefined) return found;
  if (!hasDebianPackages()) {
    throw new Error(`${tool} is not on this machine: install the PostgreSQL client and put it on PATH.`);
  }
  const dir = await unpackDebianPackages({
    name: 'psql',
    progress: options.progress,
    packages: async (apt) => (await numberedPackages(apt, 'postgresql-client-')).slice(0, 1),
  });
  const releases = path.join(dir, 'usr/lib/postgresql');
  const program = (await readdir(releases))
    .map((version) => path.join(releases, version, 'bin', tool))
    .find((file) => existsSync(file));
  if (program === undefined) throw new Error(`the package of psql holds no ${tool} under ${dir}`);
  return wrapProgram({ name: tool, program, libraries: await libraryPath(dir) });
}
