import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { TO_BE_MET } from './met.ts';
import { SimFleet } from './sim-fleet.ts';
import type { SimWorld } from './sim-world.ts';
import { historyHash, inWords, runSeed } from './simulate.ts';

const SEEDS = 2000;
/** They take less than a minute on two idle cores. */
const SEEDS_TIMEOUT_MS = 6 * 60 * 1000;

const SOURCES = new URL('../../', import.meta.url);
const SIMULATED = ['intake', 'dispatcher', 'realtime', 'operations', 'adapters/memory', 'tests/simulation'];
/** Time and chance that no seed decides. */
const UNSIMULATED =
  /\b(Math\.random|Date\.now|new Date\(\)|performance\.now|randomUUID|randomBytes|setTimeout|setInterval|AbortSignal\.timeout)\b/;
/** What runs beside the worlds, not in them. */
const BESIDE = [
  'tests/simulation/main.ts',
  'tests/simulation/sim-fleet.ts',
  'tests/simulation/sim-report.ts',
];

test(
  `every promise is kept, whatever fails, and everything fails: ${SEEDS} seeds`,
  { timeout: SEEDS_TIMEOUT_MS },
  async () => {
    const fleet = new SimFleet(os.availableParallelism());
    const failed: string[] = [];
    const met = new Set<string>();
    let played = 0;
    await fleet.play(
      Array.from({ length: SEEDS }, (_, n) => n + 1),
      {
        onVerdict: ({ seed, failures, met: metHere }) => {
          played += 1;
          for (const what of metHere) met.add(what);
          if (failures.length > 0) failed.push(`${failures[0]} · pnpm simulate --seed ${seed} --verbose`);
        },
      },
    );
    fleet.stop();
    expect(failed).toEqual([]);
    expect(played).toBe(SEEDS);
    expect(TO_BE_MET.filter((what) => !met.has(what))).toEqual([]);
  },
);

test('the same seed gives the same history, byte for byte', { timeout: 60_000 }, async () => {
  const hashes = new Set<string>();
  for (let seed = 1; seed <= 12; seed++) {
    const [once, again] = [await runSeed(seed), await runSeed(seed)];
    expect(historyHash(again.events), `seed ${seed}`).toBe(historyHash(once.events));
    hashes.add(historyHash(once.events));
  }
  expect(hashes.size).toBe(12);
});

test.each<[name: string, meddle: (world: SimWorld) => void, seen: RegExp]>([
  ['a row of the log is lost', loseRow, /gap_cause|accepted_lost|log_hole|loss/],
  ['a channel says what nobody wrote', forge, /never_sent|two_at_one_place|changed_bytes/],
  ['the stream gets nothing of what is marked sent', dropEntries, /stream_loss/],
])('it is noticed when %s', { timeout: 60_000 }, async (_name, meddle, seen) => {
  const failures: string[] = [];
  for (let seed = 1; seed <= 8; seed++) {
    failures.push(...(await runSeed(seed, { meddle })).failures.map(inWords));
  }
  expect(failures.filter((failure) => seen.test(failure))).not.toEqual([]);
});

test('a device that is still sent older replays, one by one, is given the time for it', async () => {
  expect((await runSeed(702_421)).failures.map(inWords)).toEqual([]);
});

test('what is our fault is announced as missing', { timeout: 60_000 }, async () => {
  const met = new Set<string>();
  for (let seed = 1; seed <= 8; seed++) {
    for (const what of (await runSeed(seed, { meddle: loseRow })).met) met.add(what);
  }
  expect([...met]).toContain('gap missing');
});

test('nothing in a simulated world has time or chance but from its clock', () => {
  const offenders = SIMULATED.flatMap((folder) =>
    readdirSync(fileURLToPath(new URL(folder, SOURCES)), { recursive: true })
      .map((file) => `${folder}/${String(file)}`)
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !BESIDE.includes(file))
      .filter((file) => UNSIMULATED.test(readFileSync(new URL(file, SOURCES), 'utf8'))),
  );
  expect(offenders).toEqual([]);
});

function loseRow(world: SimWorld): void {
  world.clock.setTimer(1500, () => {
    for (const { id } of world.scenario.conversations) world.log.loseRow(id, 1);
  });
}

function forge(world: SimWorld): void {
  world.bus.loses = ({ bytes }) => {
    const at = bytes.indexOf('"ciphertext":"');
    if (at > 0) bytes.write('////', at + 14);
    return false;
  };
}

function dropEntries(world: SimWorld): void {
  world.watch.entry = () => {};
}
