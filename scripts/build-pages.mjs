import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cleanEnvironment, root, say } from './workspace.mjs';

const STAMPS = path.join(root, 'node_modules/.cache/sanctum-pages');

/**
 * Builds each page of `apps/` that was never built, or whose sources are other ones than then (about a second
 * each). Vitest calls it before the browser tests, `npm start` before the service that serves them.
 */
export default function buildPages() {
  const apps = path.join(root, 'apps');
  for (const name of existsSync(apps) ? readdirSync(apps) : []) {
    const app = path.join(apps, name);
    if (existsSync(path.join(app, 'vite.config.ts'))) buildPage(name, app);
  }
}

function buildPage(name, app) {
  const stamp = path.join(STAMPS, name);
  const wanted = fingerprint(app);
  const isBuilt = existsSync(path.join(app, 'dist/index.html'));
  if (isBuilt && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say(`building the page of apps/${name}`);
  const vite = path.join(app, 'node_modules/vite/bin/vite.js');
  const { status, error } = spawnSync(process.execPath, [vite, 'build', '--logLevel', 'warn'], {
    cwd: app,
    // The tests' own NODE_ENV would put development's aids into the page, with the paths of its sources.
    env: { ...cleanEnvironment(), NODE_ENV: 'production' },
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0)
    throw new Error(`apps/${name} cannot be built${error === undefined ? '' : `: ${error.message}`}`);
  mkdirSync(STAMPS, { recursive: true });
  writeFileSync(stamp, wanted);
}

function fingerprint(app) {
  const hash = createHash('sha256').update(readFileSync(path.join(root, 'pnpm-lock.yaml')));
  for (const file of ['index.html', 'vite.config.ts', ...filesIn(app, 'public')]) add(app, file);
  for (const folder of withDependencies(app)) {
    for (const file of ['package.json', ...filesIn(folder, 'src'), ...stylesIn(folder)]) add(folder, file);
  }
  return hash.digest('hex');

  function add(folder, file) {
    hash.update(file).update(readFileSync(path.join(folder, file)));
  }
}

/** The folders of a package and of those of this workspace that go into its build. */
function withDependencies(folder, found = new Set([folder])) {
  const { dependencies = {} } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  for (const [name, version] of Object.entries(dependencies)) {
    if (!version.startsWith('workspace:')) continue;
    const dependency = realpathSync(path.join(folder, 'node_modules', name));
    if (found.has(dependency)) continue;
    withDependencies(dependency, found.add(dependency));
  }
  return found;
}

/** Of a package that is nothing but styles. */
function stylesIn(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.css'))
    .sort();
}

/** Paths below `folder`, relative to the app, in a fixed order. */
function filesIn(app, folder) {
  if (!existsSync(path.join(app, folder))) return [];
  return readdirSync(path.join(app, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(app, path.join(entry.parentPath, entry.name)))
    .sort();
}
