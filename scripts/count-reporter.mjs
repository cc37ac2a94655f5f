import { writeFileSync } from 'node:fs';

/** A vitest reporter that leaves the two numbers of a run in the file named by SANCTUM_TEST_COUNTS. */
export default class CountReporter {
  onTestRunEnd(modules, unhandledErrors) {
    let passed = 0;
    let failed = unhandledErrors.length;
    for (const module of modules) {
      // A file that cannot be loaded, or a hook outside of any test that fails, is a failure without a test.
      failed += module.errors().length;
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed += 1;
        else if (state !== 'skipped') failed += 1;
      }
    }
    writeFileSync(process.env.SANCTUM_TEST_COUNTS, JSON.stringify({ passed, failed }));
  }
}
