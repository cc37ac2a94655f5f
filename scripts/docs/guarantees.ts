import { summarise } from '../../services/messaging/src/tests/chaos/chaos-report.ts';
import { bugReport, chaosRuns, hostileRuns, playedRanges, soakReport } from './evidence.ts';
import { PROMISES } from './promises.ts';
import { number, table } from './tables.ts';

const SERVICE = 'services/messaging/src';

/** The generated parts of docs/guarantees.md: what the runs in docs/evidence show. */
export const guaranteeRegions = {
  proofs: proofTable,
  'bugs-caught': bugTable,
  'seeds-played': seedTable,
  'chaos-recovery': recoveryTable,
  'attacks-played': attackTable,
  'soak-figures': soakTable,
} as const;

function proofTable(): string {
  const caught = bugReport()?.bugs ?? [];
  const runs = [...chaosRuns(), ...hostileRuns()];
  const scenarios = [...new Set(runs.map(({ scenario }) => scenario))];
  const seenBy = (checks: readonly string[]) =>
    caught.filter(({ caughtBy }) => checks.includes(caughtBy)).map(({ name }) => name);
  const rows = Object.entries(PROMISES).map(([id, { promise, checks, tests, bugs, faults }]) => [
    `**${id}** ${promise}`,
    list(checks),
    list(bugs ?? seenBy(checks)),
    tests.map((file) => `[${nameOf(file)}](../${SERVICE}/${file})`).join(', '),
    list(scenarios.filter((name) => faults.some((fault) => fault.test(name)))),
  ]);
  return table(
    ['Promise', 'Checks', 'Deliberate bugs that they saw', 'Tests', 'Real faults aimed at it'],
    rows,
  );
}

function bugTable(): string {
  const report = bugReport();
  if (report === undefined) return nothing('pnpm test:bugs --report docs/evidence/bugs.json');
  const rows = report.bugs.map((bug) => {
    const { name, what, where, caught, caughtBy, runs, controlClean } = bug;
    const seen = where === 'servers' ? 'one real run' : runs === 1 ? '1 seed' : `${runs} seeds`;
    const by = caught ? `\`${caughtBy}\`` : '**not seen**';
    return [`\`${name}\``, what, by, seen, controlClean ? 'clean' : '**not clean**'];
  });
  const count = report.bugs.filter(({ caught, controlClean }) => caught && controlClean).length;
  return [
    `${count} of ${report.bugs.length} were seen by the check that should see them (${time(report.endedAt)}, code \`${report.code}\`).`,
    table(['Bug', 'What is wrong', 'Seen by', 'Within', 'Without the bug'], rows),
  ].join('\n\n');
}

function seedTable(): string {
  const ranges = playedRanges();
  if (ranges.length === 0)
    return nothing('pnpm simulate --seeds 100000 --report docs/evidence/simulation.ndjson');
  const seeds = new Set<number>();
  const failed = new Set<number>();
  for (const range of ranges) {
    for (let seed = range.from; seed <= range.to; seed++) seeds.add(seed);
    for (const seed of range.failed) failed.add(seed);
  }
  const times = ranges.flatMap(({ startedAt, endedAt }) => [startedAt, endedAt]).toSorted();
  const sum = ranges.reduce((all, { from, to, cpuMsPerSeed }) => all + (to - from + 1) * cpuMsPerSeed, 0);
  return table(
    ['Seeds', 'Failed', 'Begun', 'Ended', 'CPU a seed', 'Code'],
    [
      [
        `${number(seeds.size)} (${number(Math.min(...ranges.map(({ from }) => from)))} to ${number(Math.max(...ranges.map(({ to }) => to)))})`,
        failed.size === 0 ? '0' : [...failed].join(', '),
        time(times[0]!),
        time(times.at(-1)!),
        `${(sum / seeds.size).toFixed(0)} ms`,
        `\`${ranges[0]!.code}\``,
      ],
    ],
  );
}

function recoveryTable(): string {
  const runs = chaosRuns();
  if (runs.length === 0) return nothing('pnpm test:chaos');
  const rows = summarise(runs).map(({ scenario, postgres, rounds, failed, ...recovery }) => {
    const own = runs.filter((run) => run.scenario === scenario && run.postgres === postgres);
    return [
      `\`${scenario}\``,
      own.at(-1)!.about,
      String(postgres),
      failed === 0 ? String(rounds) : `${rounds}, **${failed} failed**`,
      seconds(Math.max(...own.map(({ faultMs }) => faultMs))),
      seconds(recovery.medianMs),
      seconds(recovery.maxMs),
      seconds(recovery.recoverWithinMs),
      seconds(Math.max(...own.map(({ lagRecoveryMs }) => lagRecoveryMs))),
    ];
  });
  const sum = (of: (run: (typeof runs)[number]) => number) =>
    number(runs.reduce((all, run) => all + of(run), 0));
  const violations = runs.flatMap((run) => Object.values(run.violations));
  const times = runs.flatMap(({ startedAt, endedAt }) => [startedAt, endedAt]).toSorted();
  const totals =
    `${number(runs.length)} runs from ${time(times[0]!)} to ${time(times.at(-1)!)}: ${sum((run) => run.posts)} messages ` +
    `accepted, ${sum((run) => run.deliveries)} delivered, ${sum((run) => run.reconnects)} reconnections, ` +
    `${number(violations.reduce((all, count) => all + count, 0))} violations of a promise.`;
  const head = [
    'Fault',
    'What happens',
    'PostgreSQL',
    'Rounds',
    'Lasts',
    'Recovery, median',
    'Max',
    'Goal',
    'Lag, max',
  ];
  return [totals, table(head, rows)].join('\n\n');
}

function attackTable(): string {
  const runs = hostileRuns();
  if (runs.length === 0) return nothing('pnpm test:hostile');
  const names = [...new Set(runs.map(({ scenario }) => scenario))];
  const rows = names.map((name) => {
    const own = runs.filter(({ scenario }) => scenario === name);
    const failures = [...new Set(own.flatMap((run) => run.failures))];
    return [
      `\`${name}\``,
      own.at(-1)!.about,
      String(own.length),
      own.at(-1)!.kept.join('; '),
      failures.length === 0 ? 'none' : `**${failures.join('; ')}**`,
    ];
  });
  return table(['Attack', 'What happens', 'Rounds', 'Kept, in the last one', 'Not kept'], rows);
}

const SOAK_VERDICTS = {
  passed: 'passed',
  failed: '**failed**',
  unknown: 'was too short for a verdict on every series',
} as const;

function soakTable(): string {
  const report = soakReport();
  if (report === undefined) return nothing('pnpm soak');
  const { counts, violations, series } = report;
  const broken = violations.reduce((all, { count }) => all + count, 0);
  const totals =
    `${number(Math.round(report.minutes))} minutes of load from ${time(report.startedAt)} to ${time(report.endedAt)}, with partitions of ` +
    `${number(report.options.partitionMs / 60_000)} minutes: ${number(counts.accepted)} messages accepted, ${number(counts.deliveries)} ` +
    `delivered, ${number(counts.reconnects)} reconnections, ${number(broken)} violations of a promise. It ${SOAK_VERDICTS[report.verdict]}.`;
  const rows = series.map(
    ({ series: name, unit, level, slopePerHour, certainGrowth, allowedGrowth, verdict }) => [
      name,
      amount(level, unit),
      amount(slopePerHour, unit),
      amount(certainGrowth, unit),
      amount(allowedGrowth, unit),
      verdict === 'grows' ? '**grows**' : verdict,
    ],
  );
  return [totals, table(['Series', 'Mean', 'An hour', 'Grew surely by', 'Allowed', 'Verdict'], rows)].join(
    '\n\n',
  );
}

function amount(value: number, unit: string): string {
  if (unit === 'bytes') return `${(value / 2 ** 20).toFixed(1)} MiB`;
  return `${number(Number(value.toPrecision(3)))} ${unit}`;
}

/** No run has left anything yet. */
function nothing(command: string): string {
  return `No run is recorded here yet: \`${command}\` records one.`;
}

function list(names: readonly string[]): string {
  return names.length === 0 ? '—' : names.map((name) => `\`${name}\``).join(', ');
}

function nameOf(file: string): string {
  return file.replace(/^.*\//, '').replace('.test.ts', '');
}

function time(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`;
}

function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(1)} s` : '**never**';
}
