import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { root } from './docs/source-facts.ts';

/** Whoever installs the client or the command gets these, and no other package of the repository. */
const PUBLISHED = [
  'packages/protocol',
  'packages/client',
  'packages/local-servers',
  'services/messaging',
  'packages/cli',
] as const;
/** Its build has the pages, too. */
const SERVICE = 'services/messaging';
/** The build, and what stands beside it. */
const BESIDE = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly license: string;
  readonly description: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(`${root}/${folder}/package.json`, 'utf8')) as Manifest;
}

const folder = mkdtempSync(path.join(tmpdir(), 'sanctum-pack-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A package as it is after a build: each source has its output, those of tests too. */
function built(name: string): string {
  const to = path.join(folder, path.basename(name));
  const leftOut = /\/(?:node_modules|dist|src)$/;
  cpSync(`${root}/${name}`, to, { recursive: true, filter: (from) => !leftOut.test(from) });
  for (const source of readdirSync(`${root}/${name}/src`, { recursive: true, encoding: 'utf8' })) {
    if (!/\.\w+$/.test(source)) continue;
    const outputs = source.endsWith('.ts') ? ['.js', '.d.ts', '.js.map'] : ['.sql'];
    const output = path.join(to, 'dist', source.replace(/\.\w+$/, ''));
    mkdirSync(path.dirname(output), { recursive: true });
    for (const extension of outputs) writeFileSync(output + extension, '');
  }
  writeFileSync(path.join(to, 'dist/.tsbuildinfo'), '');
  if (name === SERVICE) {
    mkdirSync(path.join(to, 'dist/pages/console'), { recursive: true });
    writeFileSync(path.join(to, 'dist/pages/console/index.html'), '');
  }
  return to;
}

test('packs hold the build, README, licence and changelog, and nothing else', { timeout: 120_000 }, () => {
  const args = ['pack', '--dry-run', '--json', '--offline', ...PUBLISHED.map(built)];
  const answer = execFileSync('npm', args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  const packs = JSON.parse(String(answer)) as { name: string; files: { path: string }[] }[];
  expect(packs.map(({ name }) => name)).toEqual(PUBLISHED.map((each) => manifestOf(each).name));
  for (const { name, files } of packs) {
    const paths = files.map((file) => file.path);
    const beside = name === '@sanctum/cli' ? [...BESIDE, 'bin/sanctum.mjs'] : BESIDE;
    expect(paths.filter((each) => !each.startsWith('dist/')).sort()).toEqual(beside.sort());
    expect(paths.filter((each) => /\.test\.|\/tests\/|tsbuildinfo/.test(each))).toEqual([]);
    expect(paths.filter((each) => each.endsWith('.js')).length).toBeGreaterThan(10);
    expect(paths.includes('dist/pages/console/index.html')).toBe(name === '@sanctum/messaging');
  }
});

test.each(PUBLISHED)('%s can be published: all that it needs is, under one version', (name) => {
  const manifest = manifestOf(name);
  const ours = PUBLISHED.map((each) => manifestOf(each).name);
  const needed = Object.entries(manifest.dependencies).filter(([each]) => each.startsWith('@sanctum/'));
  expect(ours).toEqual(expect.arrayContaining(needed.map(([each]) => each)));
  // pnpm writes the version in the place of these.
  expect(needed.filter(([, range]) => range !== 'workspace:*')).toEqual([]);
  expect(manifest).toMatchObject({ version: manifestOf('.').version, license: 'Apache-2.0' });
  expect(manifest.private).toBeUndefined();
  expect(manifest.description).not.toBe('');
  expect(readFileSync(`${root}/${name}/CHANGELOG.md`, 'utf8')).toContain(`## ${manifest.version}\n`);
  expect(readFileSync(`${root}/${name}/LICENSE`, 'utf8')).toBe(readFileSync(`${root}/LICENSE`, 'utf8'));
});
