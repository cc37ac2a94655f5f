import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import * as client from '../index.ts';
import * as webcrypto from '../webcrypto/index.ts';

const PACKAGES = fileURLToPath(new URL('../../../', import.meta.url));

interface Manifest {
  readonly sideEffects: boolean;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string>>;
  readonly publishConfig: {
    readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
  };
}

function manifestOf(name: string): Manifest {
  return JSON.parse(readFileSync(`${PACKAGES}${name}/package.json`, 'utf8')) as Manifest;
}

const folder = mkdtempSync(path.join(tmpdir(), 'sanctum-pack-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A package as it is after a build: each source has its output, those of tests too. */
function built(name: string): string {
  const to = path.join(folder, name);
  cpSync(PACKAGES + name, to, { recursive: true, filter: (from) => !/\/(?:node_modules|dist)$/.test(from) });
  for (const source of readdirSync(path.join(to, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!source.endsWith('.ts')) continue;
    const output = path.join(to, 'dist', source.replace(/\.ts$/, ''));
    mkdirSync(path.dirname(output), { recursive: true });
    for (const extension of ['.js', '.d.ts']) writeFileSync(output + extension, '');
  }
  writeFileSync(path.join(to, 'dist/.tsbuildinfo'), '');
  return to;
}

test('packs hold the build, README, licence and changelog, and nothing else', { timeout: 120_000 }, () => {
  const names = ['client', 'protocol'];
  const answer = execFileSync('npm', ['pack', '--dry-run', '--json', '--offline', ...names.map(built)], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const packs = JSON.parse(String(answer)) as { name: string; files: { path: string }[] }[];
  expect(packs.map(({ name }) => name)).toEqual(['@sanctum/client', '@sanctum/protocol']);
  for (const { files } of packs) {
    const paths = files.map((file) => file.path);
    const others = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'];
    expect(paths.filter((each) => !each.startsWith('dist/'))).toEqual(others);
    expect(paths).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.d.ts']));
    expect(paths.filter((each) => /\.test\.|\/tests\/|tsbuildinfo/.test(each))).toEqual([]);
  }
});

test.each(['client', 'protocol'])('every entry of %s has a source, types and a build', (name) => {
  const { exports, publishConfig, sideEffects } = manifestOf(name);
  expect(sideEffects).toBe(false);
  expect(Object.keys(publishConfig.exports)).toEqual(Object.keys(exports));
  for (const [entry, source] of Object.entries(exports)) {
    expect(readFileSync(`${PACKAGES}${name}/${source}`, 'utf8')).toContain('export');
    const output = source.replace('./src/', './dist/').replace(/\.ts$/, '');
    expect(publishConfig.exports[entry]).toEqual({ types: `${output}.d.ts`, default: `${output}.js` });
  }
});

test('depends on nothing but the protocol', () => {
  expect(Object.keys(manifestOf('client').dependencies)).toEqual(['@sanctum/protocol']);
});

test('exports no cipher that does nothing, and no way around one', () => {
  expect(Object.keys(client).sort()).toEqual([
    'AckCounter',
    'Conversations',
    'CursorBook',
    'SanctumError',
    'UNSEATED',
    'above',
    'connect',
    'memoryStorage',
    'seatedAt',
    'step',
  ]);
  const ciphers = Object.keys(webcrypto).filter((name) => /cipher$/i.test(name));
  expect(ciphers).toEqual(['webCryptoCipher']);
});
