import { chown, mkdir, readFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { succeeds, type Command } from './processes.ts';

/** A command, changed so that it does not run as root. */
export type Unprivileged = (command: Command) => Command;

const NOBODY = 65_534;

/**
 * PostgreSQL refuses to run as root. Where we are root, a user namespace in which root is called 1000 satisfies
 * it and needs no other account: files stay readable below a closed home folder, and belong to root outside.
 * Where user namespaces are refused, the data folder is given to another account and the server runs as that.
 */
export async function unprivilegedFor(dataDir: string): Promise<Unprivileged> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  if (process.getuid?.() !== 0) return (command) => command;
  const { uid, gid } = await stat(dataDir);
  if (uid !== 0) return runAs({ uid, gid });
  const namespace = ['--user', '--map-user=1000', '--map-group=1000'];
  if (await succeeds('unshare', [...namespace, 'true'])) {
    return ({ file, args, ...rest }) => ({ ...rest, file: 'unshare', args: [...namespace, file, ...args] });
  }
  const account = await someAccount(dataDir);
  await giveTo(dataDir, account);
  return runAs(account);
}

interface Account {
  uid: number;
  gid: number;
}

function runAs({ uid, gid }: Account): Unprivileged {
  const identity = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  return ({ file, args, ...rest }) => ({ ...rest, file: 'setpriv', args: [...identity, file, ...args] });
}

/** Whoever owns the clone, when that is not root; else the `postgres` account; else nobody. */
async function someAccount(dataDir: string): Promise<Account> {
  for (let dir = path.dirname(dataDir); dir !== path.dirname(dir); dir = path.dirname(dir)) {
    const { uid, gid } = await stat(dir);
    if (uid !== 0) return { uid, gid };
  }
  const accounts = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const postgres = /^postgres:[^:]*:(\d+):(\d+):/m.exec(accounts);
  if (postgres !== null) return { uid: Number(postgres[1]), gid: Number(postgres[2]) };
  return { uid: NOBODY, gid: NOBODY };
}

async function giveTo(dir: string, { uid, gid }: Account): Promise<void> {
  await chown(dir, uid, gid);
  for (const name of await readdir(dir, { recursive: true })) await chown(path.join(dir, name), uid, gid);
}
