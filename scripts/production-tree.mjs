// What runs in production, and nothing else: `node scripts/production-tree.mjs DIR`, after `npm run build`.
// Compiled files without their tests, the built pages among them, each package's manifest pointing at them, and the
// lockfile.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './workspace.mjs';

const PACKAGES = [
  'packages/protocol',
  'packages/client',
  'packages/local-servers',
  'packages/cli',
  'services/messaging',
];
// The demo is no part of production.
const LEFT_OUT = /\.test\.js$|\.d\.ts$|\.map$|\.tsbuildinfo$|[/\\]dist[/\\](?:tests|pages[/\\]demo)$/;

const [target] = process.argv.slice(2);
if (target === undefined) {
  console.error('usage: node scripts/production-tree.mjs DIR');
  process.exit(2);
}

for (const name of PACKAGES) {
  const [from, to] = [path.join(root, name), path.join(path.resolve(target), name)];
  mkdirSync(to, { recursive: true });
  for (const part of ['dist', 'bin']) copy(path.join(from, part), path.join(to, part));
  writeFileSync(path.join(to, 'package.json'), JSON.stringify(compiled(readJson(from)), null, 2));
}
for (const file of ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', 'LICENSE']) {
  cpSync(path.join(root, file), path.join(target, file));
}

function copy(from, to) {
  try {
    cpSync(from, to, { recursive: true, filter: (file) => !LEFT_OUT.test(file) });
  } catch (error) {
    // Only the command has a `bin`; a package without `dist` was not built.
    if (error.code !== 'ENOENT' || path.basename(from) === 'dist') throw error;
  }
}

function readJson(dir) {
  return JSON.parse(readFileSync(path.join(dir, 'package.json'), 'utf8'));
}

/** In the clone exports are the sources. */
function compiled(manifest) {
  const exports = Object.entries(manifest.exports ?? {}).map(([name, file]) => [
    name,
    file.replace(/^\.\/src\//, './dist/').replace(/\.ts$/, '.js'),
  ]);
  return { ...manifest, ...(exports.length > 0 && { exports: Object.fromEntries(exports) }) };
}
