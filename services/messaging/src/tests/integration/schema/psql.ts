import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ensurePsql } from '@sanctum/local-servers';

const run = promisify(execFile);

/** What an operator types: psql with these arguments. Resolves with what it prints, rejects when it fails. */
export async function psql(url: string, ...args: string[]): Promise<string> {
  const program = await ensurePsql({ progress: console.error });
  const { stdout } = await run(program, ['-X', '-At', '-v', 'ON_ERROR_STOP=1', '-d', url, ...args]);
  return stdout.trim();
}

/** Path of a migration's file. */
export function migrationFile(name: string): string {
  return fileURLToPath(new URL(`../../../adapters/postgres/migrations/${name}.sql`, import.meta.url));
}
