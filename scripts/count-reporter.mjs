import { writeFileSync } from 'node:fs';

/** A vitest reporter that leaves what came of a run in the file named by SANCTUM_TEST_COUNTS. */
export default class CountReporter {
  onTestRunEnd(modules, unhandledErrors) {
    let passed = 0;
    const failures = unhandledErrors.map((error) => `outside of any test: ${firstLine(error)}`);
    for (const module of modules) {
      const file = module.relativeModuleId;
      // A file that cannot be loaded, or a hook outside of any test that fails, is a failure without a test.
      for (const error of module.errors()) failures.push(`${file}: ${firstLine(error)}`);
      for (const suite of module.children.allSuites())
        for (const error of suite.errors()) failures.push(`${file} > ${suite.fullName}: ${firstLine(error)}`);
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (state === 'passed') passed += 1;
        else if (state !== 'skipped') failures.push(`${file} > ${test.fullName}: ${firstLine(errors?.[0])}`);
      }
    }
    writeFileSync(process.env.SANCTUM_TEST_COUNTS, JSON.stringify({ passed, failures }));
  }
}

function firstLine(error) {
  return String(error?.message ?? error).split('\n', 1)[0];
}
