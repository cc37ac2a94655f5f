import path from 'node:path';
import { parseArgs } from 'node:util';
import { partitionMs, SOAK_DEFAULTS, type SoakOptions, warmUpMs } from './soak-options.ts';
import { inWords, writeReport } from './soak-report.ts';
import { runSoak } from './soak.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const REPORT = 'docs/evidence/soak.json';

const HELP = `Usage: pnpm soak [--hours N | --minutes N] [--squeezed] [options]

The runbook's soak: real PostgreSQL, Redis and pods of their own, steady load, members who come, go and resume, tokens
that are renewed, conversations that are made and given up, retention. At the end it judges what every member got, and
whether memory, handles, pending entries, tables, indexes or p99 grew. Ctrl-C ends it early and judges what it has.

  --hours N          how long (default 24)
  --minutes N        the same in minutes
  --squeezed         partitions of minutes or seconds instead of days, so that an hour sees messages expire
                     some thirty times
  --rate N           messages a second (default ${SOAK_DEFAULTS.ratePerSecond})
  --pods N           (default ${SOAK_DEFAULTS.pods})
  --conversations N  (default ${SOAK_DEFAULTS.conversations})
  --users N          (default ${SOAK_DEFAULTS.users}); every third has two devices
  --report FILE      (default ${REPORT})
  --help             this text

Exit code: 0 passed, 1 failed or too short to judge, 2 wrong usage. Without --squeezed an hour leaves about
700 MB on the disk while it runs.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      hours: { type: 'string' },
      minutes: { type: 'string' },
      squeezed: { type: 'boolean', default: false },
      rate: { type: 'string', default: String(SOAK_DEFAULTS.ratePerSecond) },
      pods: { type: 'string', default: String(SOAK_DEFAULTS.pods) },
      conversations: { type: 'string', default: String(SOAK_DEFAULTS.conversations) },
      users: { type: 'string', default: String(SOAK_DEFAULTS.users) },
      report: { type: 'string', default: REPORT },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (values.hours !== undefined && values.minutes !== undefined)
    throw new UsageError('--hours and --minutes: give one of them');
  const lengthMs =
    values.minutes !== undefined
      ? number('--minutes', values.minutes, { min: 1, max: 14 * 24 * 60 }) * MINUTE_MS
      : number('--hours', values.hours ?? '24', { min: 1, max: 14 * 24 }) * HOUR_MS;
  const options: SoakOptions = {
    ...SOAK_DEFAULTS,
    lengthMs,
    squeezed: values.squeezed,
    ratePerSecond: number('--rate', values.rate, { min: 1, max: 10_000 }),
    pods: number('--pods', values.pods, { min: 1, max: 20 }),
    conversations: number('--conversations', values.conversations, { min: 10, max: 100_000 }),
    users: number('--users', values.users, { min: 10, max: 10_000 }),
  };

  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (stopping.signal.aborted) process.exit(1);
      tell('ending: what there is will be judged (once more to leave it at that)');
      stopping.abort();
    });
  }
  const seconds = (ms: number) => `${Math.round(ms / 1000)} s`;
  const warmUp = warmUpMs(options);
  tell(
    `partitions of ${seconds(partitionMs(options))}; the first ${seconds(warmUp)} of ${seconds(lengthMs)} are not judged`,
  );
  if (warmUp > lengthMs / 2)
    tell(
      'too short: until then the memories of the pods fill. Try fewer --conversations, or a higher --rate.',
    );
  const report = await runSoak(options, { signal: stopping.signal, progress: tell });
  await writeReport(path.resolve(values.report), report);
  for (const verdict of report.series) tell(`${verdict.verdict.padEnd(7)} ${inWords(verdict)}`);
  for (const reason of report.reasons) tell(`✗ ${reason}`);
  const { accepted, deliveries } = report.counts;
  tell(
    `${report.verdict}: ${accepted} messages, ${deliveries} deliveries in ${report.minutes} min; see ${values.report}`,
  );
  return report.verdict === 'passed' ? 0 : 1;
}

class UsageError extends Error {}

function number(name: string, text: string, { min, max }: { min: number; max: number }): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw new UsageError(`${name}: given ${text}; allowed: an integer from ${min} to ${max}`);
  return value;
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${(error as Error).message}\n${isUsage ? 'Try --help.\n' : ''}`);
  process.exitCode = isUsage ? 2 : 1;
}
