import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cacheDir, cached, type Progress } from './cache.ts';
import { findOnPath } from './find-on-path.ts';
import { run, succeeds } from './processes.ts';

/** Whether this machine can fetch Debian (or Ubuntu) packages. Neither root nor an installation is needed. */
export function hasDebianPackages(): boolean {
  return ['apt-get', 'apt-cache', 'dpkg', 'dpkg-query'].every((tool) => findOnPath(tool) !== undefined);
}

/**
 * Unpacks packages, with those libraries they need that the machine lacks, into the cache and returns the
 * folder. Nothing is installed: no maintainer script runs and nothing outside the folder is touched.
 */
export async function unpackDebianPackages(options: {
  name: string;
  packages: (apt: Apt) => Promise<string[]>;
  progress: Progress;
}): Promise<string> {
  return cached(options.name, async (dir) => {
    options.progress(`fetching ${options.name} from the distribution's packages (once, into .cache/)`);
    await withFreshLists(options.progress, async (apt) => {
      const wanted = await withLibraries(apt, await options.packages(apt));
      const downloads = path.join(dir, 'deb');
      await mkdir(downloads, { recursive: true });
      await run({ file: 'apt-get', args: [...apt.options, 'download', ...wanted], cwd: downloads });
      for (const deb of await readdir(downloads)) {
        await run({ file: 'dpkg', args: ['-x', path.join(downloads, deb), dir] });
      }
      await rm(downloads, { recursive: true });
    });
  });
}

/** One way to ask apt: with the machine's own package lists, or with lists of our own. */
export interface Apt {
  options: string[];
}

/** The machine's lists may be missing (container images drop them) or stale: then, once, we get our own. */
async function withFreshLists(progress: Progress, attempt: (apt: Apt) => Promise<void>): Promise<void> {
  try {
    await attempt({ options: [] });
  } catch {
    progress('reading the list of packages');
    await attempt(await ownLists());
  }
}

async function ownLists(): Promise<Apt> {
  const dir = path.join(cacheDir, 'apt');
  for (const folder of ['lists/partial', 'cache/archives/partial']) {
    await mkdir(path.join(dir, folder), { recursive: true });
  }
  const options = [
    ['Dir::State::lists', path.join(dir, 'lists')],
    ['Dir::Cache', path.join(dir, 'cache')],
    // apt would drop root to a user of its own, who may not enter the folder of this clone.
    ['APT::Sandbox::User', 'root'],
  ].flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  await run({ file: 'apt-get', args: [...options, 'update'] });
  return { options };
}

/** The packages and, of what they depend on, the libraries that are not installed. */
async function withLibraries(apt: Apt, packages: string[]): Promise<string[]> {
  const wanted = new Set(packages);
  let unseen = packages;
  while (unseen.length > 0) {
    const printed = await run({ file: 'apt-cache', args: [...apt.options, 'depends', ...unseen] });
    const libraries = librariesNamed(printed).filter((name) => !wanted.has(name));
    unseen = [];
    for (const name of libraries) {
      if (wanted.has(name) || (await succeeds('dpkg-query', ['-s', name]))) continue;
      wanted.add(name);
      unseen.push(name);
    }
  }
  return [...wanted];
}

/** Library packages among the `Depends:` lines that `apt-cache depends` prints; scripts of web pages are none. */
export function librariesNamed(printed: string): string[] {
  const names = printed.matchAll(/^ +(?:Pre)?Depends: (lib(?!c6$|perl|js-)[a-z0-9.+-]+)$/gm);
  return [...new Set(Array.from(names, (match) => match[1] as string))];
}

/** Names of packages that begin with `prefix` and go on with digits only, the highest number first. */
export async function numberedPackages(apt: Apt, prefix: string): Promise<string[]> {
  const printed = await run({ file: 'apt-cache', args: [...apt.options, 'pkgnames', prefix] });
  const version = (name: string): number => Number(name.slice(prefix.length));
  return printed
    .split('\n')
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .sort((a, b) => version(b) - version(a));
}

/** Where the libraries of an unpacked package lie, as a value for LD_LIBRARY_PATH. */
export async function libraryPath(dir: string): Promise<string> {
  const folders: string[] = [];
  for (const base of ['usr/lib', 'lib']) {
    for (const name of await namesIn(path.join(dir, base))) {
      if (!name.includes('-linux-')) continue;
      const folder = path.join(dir, base, name);
      folders.push(folder);
      // Some keep their parts in a folder below, which they name by where it would be after an installation.
      for (const below of await namesIn(folder)) {
        const parts = await namesIn(path.join(folder, below));
        if (parts.some((part) => /^lib.*\.so/.test(part))) folders.push(path.join(folder, below));
      }
    }
  }
  return folders.join(':');
}

async function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch(() => []);
}

/** A command in `.cache/bin` that runs an unpacked program with its own libraries, and returns its path. */
export async function wrapProgram(options: {
  name: string;
  program: string;
  libraries: string;
  env?: Record<string, string>;
}): Promise<string> {
  const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const wrapper = path.join(cacheDir, 'bin', options.name);
  const script = [
    '#!/bin/sh',
    `LD_LIBRARY_PATH=${quote(options.libraries)}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}`,
    'export LD_LIBRARY_PATH',
    ...Object.entries(options.env ?? {}).map(([name, value]) => `export ${name}=${quote(value)}`),
    `exec ${quote(options.program)} "$@"\n`,
  ].join('\n');
  if ((await readFile(wrapper, 'utf8').catch(() => '')) === script) return wrapper;
  await mkdir(path.dirname(wrapper), { recursive: true });
  // By a rename: another process may be about to run it.
  const draft = `${wrapper}.${process.pid}`;
  await writeFile(draft, script, { mode: 0o755 });
  await rename(draft, wrapper);
  return wrapper;
}
