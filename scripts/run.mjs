// `npm start` and `npm test`: needs nothing but Node and npm, and brings everything else itself.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import buildPages from './build-pages.mjs';
import { install } from './install.mjs';
import { runTests } from './run-tests.mjs';
import { NODE_MIN, nodeIsOldEnough, root, say } from './workspace.mjs';

const [command, ...args] = process.argv.slice(2);

if (!nodeIsOldEnough()) {
  say(`Node ${NODE_MIN} or newer is needed; this is ${process.versions.node}`);
  process.exit(1);
}
// From `npm test` in CI to a plain `node scripts/run.mjs`: the same folder for all that follows.
process.chdir(root);

try {
  await install();
  if (command === 'start') {
    buildPages();
    await runCli(['start', ...args]);
  } else if (command === 'test') process.exitCode = await runTests(args);
  else throw new Error(`usage: node scripts/run.mjs start | test, not ${JSON.stringify(command)}`);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

/** In this very process: a Ctrl-C then has one process less to pass through. */
async function runCli(cliArgs) {
  const bin = JSON.parse(readFileSync('packages/cli/package.json', 'utf8')).bin.sanctum;
  const file = new URL(bin, pathToFileURL(`${root}/packages/cli/`));
  process.argv = [process.execPath, file.pathname, ...cliArgs];
  await import(file.href);
}
