import { existsSync } from 'node:fs';
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
import { readdir } from 'node:fs/promises';

/** Path of a `psql` that runs: the machine's own, else one unpacked into `.cache/`. */
export async function ensurePsql(options: { progress: Progress }): Promise<string> {
  const found = findOnPath('psql');
  if (found !== undefined) return found;
  if (!hasDebianPackages()) {
    throw new Error('psql is not on this machine: install the PostgreSQL client and put it on PATH.');
  }
  const dir = await unpackDebianPackages({
    name: 'psql',
    progress: options.progress,
    packages: async (apt) => (await numberedPackages(apt, 'postgresql-client-')).slice(0, 1),
  });
  const releases = path.join(dir, 'usr/lib/postgresql');
  const program = (await readdir(releases))
    .map((version) => path.join(releases, version, 'bin/psql'))
    .find((file) => existsSync(file));
  if (program === undefined) throw new Error(`the package of psql holds no psql under ${dir}`);
  return wrapProgram({ name: 'psql', program, libraries: await libraryPath(dir) });
}
