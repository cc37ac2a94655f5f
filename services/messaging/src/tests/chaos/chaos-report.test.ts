import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChaosReport, codeOf, inWords, isAsPromised, summarise } from './chaos-report.ts';
import type { ChaosRun } from './chaos-run.ts';
import { proven } from './scenario.ts';
import { SCENARIOS } from './scenarios/index.ts';

const RUN: ChaosRun = {
  scenario: 'a-fault',
  about: 'something breaks',
  postgres: 18,
  round: 1,
  code: 'c0de',
  startedAt: '2025-02-03T04:05:06.789Z',
  endedAt: '2025-02-03T04:05:36.789Z',
  proof: ['it broke'],
  kept: ['members went on receiving'],
  faultMs: 1000,
  recoveryMs: 800,
  lagRecoveryMs: 0,
  recoverWithinMs: 5000,
  p95Ms: { before: 40, during: null },
  posts: 1000,
  retries: 3,
  deliveries: 8000,
  conversations: 10,
  devices: 80,
  reconnects: 20,
  deadRows: 0,
  violations: {},
  failures: [],
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sanctum-chaos-report-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the report', () => {
  it('knows what was run by the same code, also after a kill tore its last line', async () => {
    const file = path.join(folder, 'deep/chaos.ndjson');
    new ChaosReport(file).append(RUN);
    new ChaosReport(file).append({ ...RUN, round: 2 });
    await writeFile(file, '{"scenario":"torn', { flag: 'a' });
    const report = new ChaosReport(file);
    expect(report.runsOf(RUN)).toEqual([RUN]);
    expect(report.runsOf({ ...RUN, round: 2 })).toMatchObject([{ round: 2 }]);
    for (const other of [{ round: 3 }, { code: 'other' }, { postgres: 15 }, { scenario: 'another' }]) {
      expect(report.runsOf({ ...RUN, ...other })).toEqual([]);
    }
  });

  it('keeps a run that failed beside the one that was made after it', () => {
    const report = new ChaosReport(path.join(folder, 'chaos.ndjson'));
    report.append({ ...RUN, failures: ['lost'] });
    report.append(RUN);
    expect(report.runsOf(RUN).map(({ failures }) => failures)).toEqual([['lost'], []]);
    expect(isAsPromised(summarise(report.runsOf(RUN))[0]!)).toBe(false);
  });
});

describe('the summary', () => {
  const of = (...recoveries: (number | null)[]) =>
    summarise(recoveries.map((recoveryMs, n) => ({ ...RUN, round: n + 1, recoveryMs })))[0]!;

  it('has the median and the longest recovery of each scenario and release', () => {
    expect(of(300, 9000, 100)).toMatchObject({ rounds: 3, failed: 0, medianMs: 300, maxMs: 9000 });
    expect(summarise([RUN, { ...RUN, postgres: 15 }]).map(({ postgres }) => postgres)).toEqual([18, 15]);
  });

  it('is not as promised where a run failed, or the median is too slow', () => {
    expect(isAsPromised(of(300, 9000, 100))).toBe(true);
    expect(isAsPromised(of(300, 9000, 6000))).toBe(false);
    expect(isAsPromised(of(null, null, 100))).toBe(false);
    expect(isAsPromised(summarise([RUN, { ...RUN, failures: ['lost'] }])[0]!)).toBe(false);
  });

  it('says so in words', () => {
    expect(inWords([of(300, null, 100)])).toBe(
      '✓ a-fault  PostgreSQL 18: 3 rounds, recovery median 0.3 s, max never (goal 5.0 s)',
    );
  });
});

describe('scenarios', () => {
  it('have names of their own', () => {
    const names = SCENARIOS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9-]+$/);
  });

  it('another fault under the same name is other code', () => {
    const fault = async () => ({ proof: ['yes'] });
    const other = async () => ({ proof: ['no'] });
    expect(codeOf({ name: 'x', about: 'x', fault })).toBe(codeOf({ name: 'x', about: 'x', fault }));
    expect(codeOf({ name: 'x', about: 'x', fault })).not.toBe(
      codeOf({ name: 'x', about: 'x', fault: other }),
    );
  });

  it('a fault that is not there fails its run', () => {
    expect(proven('XLEN was 0', true)).toBe('XLEN was 0');
    expect(() => proven('XLEN was 0', false)).toThrow('not so: XLEN was 0');
  });
});
