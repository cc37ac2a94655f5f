import { createInterface } from 'node:readline';
import type { Shell } from './shell.ts';

/** Asks on the terminal; nothing but "y" or "yes" means yes, and the end of the input means no. */
export async function confirmed(shell: Pick<Shell, 'stdin' | 'stderr'>, question: string): Promise<boolean> {
  shell.stderr.write(`${question} [y/N] `);
  const lines = createInterface({ input: shell.stdin });
  try {
    for await (const line of lines) return /^y(?:es)?$/i.test(line.trim());
    return false;
  } finally {
    lines.close();
  }
}
