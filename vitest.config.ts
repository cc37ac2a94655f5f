import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** A test file that needs PostgreSQL or Redis says so by where it stands, or by its name. */
const NEEDS_SERVERS = [
  'services/messaging/src/tests/{contract,integration}/**/*.test.ts',
  '{packages,services}/*/src/**/*.{pg,redis,servers}.test.ts',
  'deploy/src/**/*.servers.test.ts',
  'examples/tests/*.servers.test.ts',
];

/** In a real Chromium. */
const NEEDS_BROWSER = '{{apps,packages,services}/*/src,examples/tests}/**/*.browser.test.ts';

/** Ends what a test file has begun. The modules stay: loading them takes a fifth of all tests' time otherwise. */
const CLEAR_AWAY = 'services/messaging/src/tests/support/clear-away.ts';

export default defineConfig({
  test: {
    // Fixed, so that the same path filters work from any folder of the workspace.
    root: import.meta.dirname,
    // Integration files drive servers beside themselves: half of the cores go to the tests. They wait for them more
    // than they work, so that even two cores serve three.
    maxWorkers: Math.max(3, Math.floor(availableParallelism() / 2)),
    projects: [
      {
        test: {
          name: 'unit',
          // Pure parts leave nothing behind: one process for all files takes half of the time.
          isolate: false,
          // Generated input takes seconds where other work has the cores: no test may fail for that.
          testTimeout: 60_000,
          include: [
            '{apps,packages,services}/*/src/**/*.test.ts',
            '{bench,deploy}/src/**/*.test.ts',
            'scripts/**/*.test.ts',
          ],
          exclude: [...NEEDS_SERVERS, NEEDS_BROWSER],
        },
      },
      {
        test: {
          name: 'integration',
          include: NEEDS_SERVERS,
          exclude: [NEEDS_BROWSER],
          globalSetup: 'services/messaging/src/tests/support/global-setup.ts',
          setupFiles: CLEAR_AWAY,
          isolate: false,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'browser',
          include: [NEEDS_BROWSER],
          globalSetup: ['services/messaging/src/tests/support/global-setup.ts', 'scripts/build-pages.mjs'],
          setupFiles: CLEAR_AWAY,
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
