import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cleanEnvironment, root, say } from './workspace.mjs';

const STAMP = path.join(root, 'node_modules/.cache/sanctum-install');

/** Installs the dependencies where the lockfile, pnpm or Node is another one than last time. */
export async function install() {
  const wanted = fingerprint();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  const started = Date.now();
  const [file, ...args] = pnpmCommand();
  say(`installing dependencies with pnpm ${pnpmVersion()}`);
  const { status, error } = spawnSync(file, [...args, 'install', '--frozen-lockfile'], {
    cwd: root,
    env: cleanEnvironment(),
    // What we print ourselves last must stay the only thing on stdout.
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) throw new Error(`pnpm install failed${error === undefined ? '' : `: ${error.message}`}`);
  mkdirSync(path.dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, wanted);
  say(`dependencies installed in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** The workspace's own pnpm where it is installed already, else the same version through npx. */
export function pnpmCommand() {
  const version = pnpmVersion();
  const own = path.join(root, 'node_modules/pnpm');
  const isOwn =
    existsSync(own) && JSON.parse(readFileSync(path.join(own, 'package.json'), 'utf8')).version === version;
  return isOwn ? [path.join(root, 'node_modules/.bin/pnpm')] : ['npx', '--yes', `pnpm@${version}`];
}

function pnpmVersion() {
  const { packageManager } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  return packageManager.replace(/^pnpm@/, '');
}

function fingerprint() {
  const hash = createHash('sha256');
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']) {
    hash.update(readFileSync(path.join(root, file)));
  }
  // The folder is in it because links and wrappers hold absolute paths.
  hash.update(JSON.stringify([process.version, process.platform, process.arch, root]));
  return hash.digest('hex');
}
