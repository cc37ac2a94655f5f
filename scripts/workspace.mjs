import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
export const NODE_MIN = '20.19';

export function nodeIsOldEnough() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [majorMin, minorMin] = NODE_MIN.split('.').map(Number);
  return major > majorMin || (major === majorMin && minor >= minorMin);
}

/** One line of progress. */
export function say(line) {
  process.stderr.write(`• ${line}\n`);
}

/** What npm tells its scripts and what is a setting of the user's at once: how the registry is reached. */
const NPM_SETTINGS_KEPT =
  /^npm_config_(registry|cafile|ca|proxy|https_proxy|noproxy|strict_ssl|userconfig|globalconfig)$/i;

/**
 * The environment without what `npm run` added to it: pnpm would take npm's settings for its own. A home
 * folder that cannot be written (some containers) is replaced by one in the cache.
 */
export function cleanEnvironment() {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(config|package|lifecycle|command)/i.test(name) || NPM_SETTINGS_KEPT.test(name),
    ),
  );
  if (!isWritable(homedir())) {
    env.HOME = path.join(root, '.cache/home');
    mkdirSync(env.HOME, { recursive: true });
  }
  return env;
}

function isWritable(dir) {
  try {
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
