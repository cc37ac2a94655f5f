// `pnpm test:integration`, `pnpm test:browser`: one of vitest's projects, with a help of its own.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const HELP = {
  integration: `Usage: pnpm test:integration [FILTER…] [vitest options]

The tests that need PostgreSQL and Redis, from the root or from services/messaging. They run against those of
DATABASE_URL and REDIS_URL where these are set, else against servers of their own on free ports, which end with
them. A database without "test" in its name is refused, and so is a Redis that holds keys of others: the tests make
and drop databases, and empty Redis.

  FILTER          part of a file's path, such as integration/dispatcher (default: all of them)
  -t PATTERN      the tests of that name alone

What else vitest takes: pnpm vitest --help`,
  browser: `Usage: pnpm test:browser [FILTER…] [vitest options]

The tests that run in a real Chromium (the console, the SDK in a page) against the real service, with a PostgreSQL
and a Redis as those of test:integration. Chromium comes from the distribution's packages, into .cache/; the pages
are built first.

  FILTER          part of a file's path, such as apps/console (default: all of them)
  -t PATTERN      the tests of that name alone

What else vitest takes: pnpm vitest --help`,
};

const [project, ...args] = process.argv.slice(2);
if (!Object.hasOwn(HELP, project))
  throw new Error(`usage: vitest-project.mjs ${Object.keys(HELP).join('|')}`);
if (args.includes('--help') || args.includes('-h')) console.log(HELP[project]);
else {
  process.argv.splice(2, Infinity, 'run', '--project', project, ...args);
  // In this process: Ctrl-C and the exit code are vitest's own.
  const vitest = createRequire(import.meta.url).resolve('vitest/package.json');
  await import(new URL('vitest.mjs', pathToFileURL(vitest)).href);
}
