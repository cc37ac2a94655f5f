import { appendFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { tortureOptions, HELP } from './torture-options.ts';
import { torture } from './torture.ts';

const SHOWN_MAX = 20;

async function main(): Promise<number> {
  const options = tortureOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'sanctum-torture-'));
  try {
    const { summary, violations } = await torture(options, folder);
    for (const violation of violations.slice(0, SHOWN_MAX)) process.stdout.write(`${violation}\n`);
    process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
    await mkdir(path.dirname(options.report), { recursive: true });
    await appendFile(options.report, `${JSON.stringify(summary)}\n`);
    process.stdout.write(violations.length === 0 ? 'Every promise was kept.\n' : 'Promises were broken.\n');
    return violations.length === 0 ? 0 : 1;
  } finally {
    if (options.keep) process.stdout.write(`kept: ${folder}\n`);
    else await rm(folder, { recursive: true, force: true });
  }
}

let exitCode = 2;
try {
  exitCode = await main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\nTry --help.\n`);
}
// Left to end by itself, Node 20 may wait for ever for the handle of a socket that was reset while it was paused.
process.exit(exitCode);
