import path from 'node:path';
import { parseArgs } from 'node:util';
import { ChaosReport, codeOf, inWords, isAsPromised, summarise } from './chaos-report.ts';
import type { ChaosRun } from './chaos-run.ts';
import { playScenario } from './play-scenario.ts';
import type { Scenario } from './scenario.ts';

const RELEASES = [15, 18];

/** Where the histories and logs of failed runs are kept. */
const KEPT = '.cache/chaos';

/** A set of scenarios that one command plays. */
export interface ScenarioSet {
  /** As it is typed. */
  readonly command: string;
  /** What it is about, for `--help`. */
  readonly about: string;
  readonly scenarios: readonly Scenario[];
  /** Where finished runs are appended, unless it is said otherwise. */
  readonly report: string;
}

const helpOf = ({
  command,
  about,
  report,
}: ScenarioSet) => `Usage: ${command} [--scenario NAME,…] [--rounds N] [--postgres 15|18] [--fresh] [--report FILE]
       ${command} --list

${about}
Each finished run is a line of the report, and is not run again as long as the code is the same. Of a run
that failed the history and the pods' logs are kept in ${KEPT}.

  --scenario NAME,…  these alone (default: all; see --list)
  --rounds N         how often each (default 1)
  --postgres V       the release of PostgreSQL, ${RELEASES.join(' or ')} (default 18)
  --fresh            runs again what is finished; what it came to before still counts
  --report FILE      where finished runs are appended (default ${report})
  --list             the scenarios
  --help             this text

Exit code: 0 every promise was kept, 1 one was not, or the median recovery was too slow, 2 wrong usage.
`;

class UsageError extends Error {}

async function answer(set: ScenarioSet): Promise<number> {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string', multiple: true },
      rounds: { type: 'string', default: '1' },
      postgres: { type: 'string', default: '18' },
      report: { type: 'string', default: set.report },
      fresh: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(helpOf(set));
    return 0;
  }
  if (values.list) {
    const width = Math.max(...set.scenarios.map(({ name }) => name.length));
    for (const { name, about } of set.scenarios) print(`${name.padEnd(width)}  ${about}`);
    return 0;
  }
  return playAll({
    scenarios: chosen(set, values.scenario),
    rounds: toNumber('--rounds', values.rounds, { min: 1 }),
    postgres: releaseOf(values.postgres),
    report: new ChaosReport(path.resolve(values.report)),
    fresh: values.fresh,
  });
}

/** Rounds are the outer loop: a series that is stopped has run everything about as often. */
async function playAll(options: {
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly postgres: number;
  readonly report: ChaosReport;
  readonly fresh: boolean;
}): Promise<number> {
  const { scenarios, rounds, postgres, report, fresh } = options;
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
  const runs: ChaosRun[] = [];
  const broken: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const scenario of scenarios) {
      if (stop.signal.aborted) break;
      const { name } = scenario;
      const code = codeOf(scenario);
      const known = report.runsOf({ scenario: name, postgres, round, code });
      runs.push(...known);
      if (known.length > 0 && !fresh) continue;
      print(`${name}, PostgreSQL ${postgres}, round ${round}`);
      try {
        const run = await playScenario(scenario, {
          postgres,
          round,
          code,
          keepIn: path.resolve(KEPT, `${name}-${postgres}-${round}`),
          note: (text) => print(`  ${text}`),
        });
        for (const failure of run.failures) print(`  ✗ ${failure}`);
        report.append(run);
        runs.push(run);
      } catch (error) {
        // The fault was not there, or the harness failed: no finished run, and it is run again the next time.
        broken.push(`${name}, round ${round}: ${(error as Error).message}`);
        print(`  ✗ ${(error as Error).stack}`);
      }
    }
  }
  const summaries = summarise(runs);
  print(inWords(summaries));
  for (const text of broken) print(`✗ not run to its end: ${text}`);
  print(`${runs.length} runs · ${report.path}`);
  return broken.length === 0 && summaries.every(isAsPromised) ? 0 : 1;
}

function chosen({ scenarios }: ScenarioSet, names: readonly string[] | undefined): readonly Scenario[] {
  if (names === undefined) return scenarios;
  return names
    .join()
    .split(',')
    .map((name) => {
      const scenario = scenarios.find((each) => each.name === name);
      if (scenario === undefined)
        throw new UsageError(`--scenario: there is no ${JSON.stringify(name)}; see --list`);
      return scenario;
    });
}

function releaseOf(text: string): number {
  const release = Number(text);
  if (!RELEASES.includes(release))
    throw new UsageError(`--postgres: given ${text}; allowed: ${RELEASES.join(', ')}`);
  return release;
}

function toNumber(name: string, text: string, { min }: { min: number }): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < min)
    throw new UsageError(`${name}: given ${text}; allowed: an integer from ${min}`);
  return number;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Reads the command line, plays, and ends the process with the exit code. */
export function runScenarioCommand(set: ScenarioSet): void {
  answer(set).then(
    (exitCode) => process.exit(exitCode),
    (error: unknown) => {
      const isUsage =
        error instanceof UsageError ||
        (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
      process.stderr.write(
        `${isUsage ? `${(error as Error).message}\nTry --help.` : String((error as Error).stack)}\n`,
      );
      process.exit(isUsage ? 2 : 1);
    },
  );
}
