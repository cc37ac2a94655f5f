import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
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
    'reseatsOf',
    'seatedAt',
    'step',
  ]);
  const ciphers = Object.keys(webcrypto).filter((name) => /cipher$/i.test(name));
  expect(ciphers).toEqual(['webCryptoCipher']);
});
