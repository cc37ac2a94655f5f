// `pnpm check`: everything about the tree that can be told without running it. All of it runs, then it judges.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { root } from './workspace.mjs';

const STEPS = [
  ['format', 'prettier', '--check', '--log-level=warn', '.'],
  ['types', 'tsc', '--build'],
  // The layer rules are among the lint rules: see `boundaries/` in .oxlintrc.json.
  ['lint and layers', 'oxlint', '--type-aware', '--deny-warnings'],
  ['dead code', 'knip', '--no-progress'],
];

if (process.argv.includes('--help')) {
  console.log(`usage: pnpm check\n\nruns, in this order: ${STEPS.map(([name]) => name).join(', ')}`);
  process.exit();
}

const failed = STEPS.filter(([name, ...command]) => !passes(name, command)).map(([name]) => name);
console.log(failed.length === 0 ? 'check: all is well' : `check: ${failed.join(', ')} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;

function passes(name, [tool, ...args]) {
  const started = Date.now();
  const { status } = spawnSync(path.join(root, 'node_modules/.bin', tool), args, {
    cwd: root,
    stdio: 'inherit',
  });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`${status === 0 ? '✓' : '✗'} ${name} (${seconds} s)`);
  return status === 0;
}
