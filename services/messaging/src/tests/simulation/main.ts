import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { encodeEvent } from '../history/history-codec.ts';
import { SimFleet } from './sim-fleet.ts';
import { codeFingerprint, SimReport } from './sim-report.ts';
import { historyHash, inWords, runSeed } from './simulate.ts';
import type { SeedVerdict } from './sim-worker.ts';

const HELP = `Usage: pnpm simulate [--seeds N] [--from S] [--jobs J] [--report FILE]
       pnpm simulate --seed S [--verbose]

Plays the service's real stages over logs, streams, buses and sockets in memory, on a simulated clock, with faults
drawn from a seed, and judges the history of each run. The same seed is the same run, byte for byte.

  --seeds N      how many (default 2000)
  --from S       the first one (default 1)
  --jobs J       worker processes (default: one a core)
  --report FILE  finished ranges are appended here, and not played again as long as the code is the same
                 (default .cache/simulation.ndjson)
  --fresh        plays them again all the same
  --seed S       this one alone, in this process
  --verbose      with --seed: the scenario and the whole history
  --help         this text

Exit code: 0 every promise was kept, 1 some seed failed, 2 wrong usage.
`;

/** A line of the report, and what an interrupted run has to play again. */
const RANGE_SEEDS = 100;
const SHOWN_FAILURES_MAX = 5;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '2000' },
      from: { type: 'string', default: '1' },
      jobs: { type: 'string', default: String(os.availableParallelism()) },
      report: { type: 'string', default: '.cache/simulation.ndjson' },
      fresh: { type: 'boolean', default: false },
      seed: { type: 'string' },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.seed !== undefined) return playOne(toNumber('--seed', values.seed), values.verbose);
  const from = toNumber('--from', values.from);
  const to = from + toNumber('--seeds', values.seeds) - 1;
  const jobs = Math.max(1, toNumber('--jobs', values.jobs));
  return playMany({ from, to, jobs, report: path.resolve(values.report), fresh: values.fresh });
}

async function playOne(seed: number, verbose: boolean): Promise<number> {
  const { scenario, events, failures } = await runSeed(seed);
  if (verbose) {
    const { steps, ...cast } = scenario;
    print(JSON.stringify(cast, null, 2));
    for (const step of steps) print(JSON.stringify(step));
    for (const event of events) print(encodeEvent(event));
  }
  for (const failure of failures) print(`✗ ${inWords(failure)}`);
  print(
    `seed ${seed}: ${failures.length === 0 ? 'every promise was kept' : 'FAILED'}, history ${historyHash(events)}`,
  );
  return failures.length === 0 ? 0 : 1;
}

async function playMany(options: {
  readonly from: number;
  readonly to: number;
  readonly jobs: number;
  readonly report: string;
  readonly fresh: boolean;
}): Promise<number> {
  const { from, to, jobs } = options;
  const code = codeFingerprint();
  const report = new SimReport(options.report, code);
  const stop = new AbortController();
  const fleet = new SimFleet(jobs);
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
  const failed = options.fresh ? [] : report.failed(from, to);
  for (const seed of failed) tell({ seed, failures: ['failed when it was played last'] });
  let played = 0;
  let cpuMs = 0;
  for (let first = from; first <= to && !stop.signal.aborted; first += RANGE_SEEDS) {
    const last = Math.min(to, first + RANGE_SEEDS - 1);
    const seeds = range(first, last).filter((seed) => options.fresh || report.rangeOf(seed) === undefined);
    if (seeds.length === 0) continue;
    const startedAt = new Date().toISOString();
    const verdicts: SeedVerdict[] = [];
    const onVerdict = (verdict: SeedVerdict) => {
      verdicts.push(verdict);
      if (verdict.failures.length > 0) tell(verdict);
    };
    await fleet.play(seeds, { onVerdict, signal: stop.signal });
    const rangeCpuMs = verdicts.reduce((sum, verdict) => sum + verdict.cpuMs, 0);
    const rangeFailed = verdicts.filter(({ failures }) => failures.length > 0).map(({ seed }) => seed);
    played += verdicts.length;
    cpuMs += rangeCpuMs;
    failed.push(...rangeFailed);
    if (stop.signal.aborted) break;
    const cpuMsPerSeed = Math.round((rangeCpuMs / verdicts.length) * 10) / 10;
    const endedAt = new Date().toISOString();
    report.append({
      from: seeds[0]!,
      to: last,
      failed: rangeFailed.toSorted((a, b) => a - b),
      code,
      startedAt,
      endedAt,
      cpuMsPerSeed,
    });
  }
  fleet.stop();
  const known = to - from + 1 - played;
  print(
    `${played} seeds played (${(cpuMs / Math.max(1, played)).toFixed(1)} ms CPU a seed), ${known} ` +
      `${stop.signal.aborted ? 'left or known' : 'known'}, ${failed.length} failed · ${report.path}`,
  );
  return failed.length === 0 ? 0 : 1;
}

function tell({ seed, failures }: Pick<SeedVerdict, 'seed' | 'failures'>): void {
  print(`✗ seed ${seed}`);
  for (const failure of failures.slice(0, SHOWN_FAILURES_MAX)) print(`    ${failure}`);
  print(`    pnpm simulate --seed ${seed} --verbose`);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, n) => first + n);
}

function toNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0)
    throw new UsageError(`${name}: given ${text}; allowed: an integer from 0`);
  return number;
}

class UsageError extends Error {}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().then(
  (exitCode) => (process.exitCode = exitCode),
  (error: unknown) => {
    const isUsage =
      error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
    process.stderr.write(`${isUsage ? (error as Error).message : String((error as Error).stack)}\n`);
    process.exitCode = isUsage ? 2 : 1;
  },
);
