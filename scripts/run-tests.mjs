import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { root } from './workspace.mjs';

const COUNTS = path.join(root, '.cache/test-counts.json');
const REPORTERS = ['--reporter=default', '--reporter=./scripts/count-reporter.mjs'];

/** Fetches the tools that tests need, runs every test, and prints `N passed, N failed` as the last line. */
export async function runTests(args) {
  mkdirSync(path.dirname(COUNTS), { recursive: true });
  rmSync(COUNTS, { force: true });
  const tools = await finished(['--import', 'tsx', 'scripts/fetch-tools.ts']);
  const tests =
    tools === 0 ? await finished(['node_modules/vitest/vitest.mjs', 'run', ...REPORTERS, ...args]) : 1;
  const { passed, failures } = counts();
  // A run that broke down before or beside its tests has failed, whatever it counted.
  if (tests !== 0 && failures.length === 0) failures.push('the run broke down: its own words stand above');
  for (const failure of failures) console.log(`failed: ${failure}`);
  console.log(`${passed} passed, ${failures.length} failed`);
  return tests;
}

function finished(args) {
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, SANCTUM_TEST_COUNTS: COUNTS },
  });
  // The terminal sends Ctrl-C to the child as well: it ends first, we report.
  const wait = () => undefined;
  const passOn = () => child.kill('SIGTERM');
  process.on('SIGINT', wait).on('SIGTERM', passOn);
  return new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('exit', (code) => {
      process.off('SIGINT', wait).off('SIGTERM', passOn);
      resolve(code ?? 1);
    });
  });
}

function counts() {
  try {
    return JSON.parse(readFileSync(COUNTS, 'utf8'));
  } catch {
    return { passed: 0, failures: [] };
  }
}
