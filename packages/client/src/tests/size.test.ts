import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('..', import.meta.url));

/** What a page loads for this import, minified. */
async function bundle(contents: string): Promise<{ inputs: string[]; gzipBytes: number }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: SRC, loader: 'ts' },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
    metafile: true,
  });
  const [file] = outputFiles;
  const [output] = Object.values(metafile.outputs);
  if (file === undefined || output === undefined) throw new Error('esbuild wrote nothing');
  const inputs = Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  return { inputs: inputs.map(([path]) => path), gzipBytes: gzipSync(file.contents, { level: 9 }).length };
}

test('the core is below 12 kB gzip, and brings no package', async () => {
  const { inputs, gzipBytes } = await bundle(`export { connect } from './index.ts'`);
  expect(gzipBytes).toBeLessThan(12_000);
  // A core that is nearly empty would pass, too.
  expect(gzipBytes).toBeGreaterThan(4 * 1024);
  expect(inputs.filter((path) => path.includes('node_modules'))).toEqual([]);
  expect(inputs.filter((path) => /webcrypto|indexeddb|node\/|schemas|conversations/.test(path))).toEqual([]);
});

test('what is not used is not loaded', async () => {
  const { gzipBytes } = await bundle(`export { SanctumError } from './index.ts'`);
  expect(gzipBytes).toBeLessThan(600);
});

test('the whole for a browser: core, cipher and storage', async () => {
  const { gzipBytes } = await bundle(
    `export { connect } from './index.ts';
     export { webCryptoCipher, KeyRing } from './webcrypto/index.ts';
     export { indexedDbStorage } from './indexeddb/index.ts';`,
  );
  expect(gzipBytes).toBeLessThan(14_000);
});
