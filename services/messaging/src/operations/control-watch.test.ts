import { expect, test } from 'vitest';
import { createMetrics } from '../metrics.ts';
import { ManualClock, settle } from '../tests/support/manual-clock.ts';
import { RecordedLog } from '../tests/support/recorded-log.ts';
import { ControlWatch, type OperatorState } from './control-watch.ts';
import { type RevocationRow, Revocations } from './revocations.ts';

function state(paused: boolean, rows: readonly RevocationRow[] = []): OperatorState {
  const controls = [{ stage: 'dispatcher' as const, paused, changedAt: 0, expiresAt: null }];
  return { controls, revocations: rows, newest: rows.at(-1)?.version ?? 0 };
}

function world(readState: (afterVersion: number) => Promise<OperatorState>) {
  const switched: string[] = [];
  const revocations = new Revocations();
  const watch = new ControlWatch({
    log: { readState },
    clock: new ManualClock(),
    logger: new RecordedLog(),
    metrics: createMetrics({ dispatcher: true, consumer: true }),
    revocations,
    switches: { dispatcher: { pause: () => switched.push('pause'), resume: () => switched.push('resume') } },
    onRevoked: () => undefined,
  });
  return { watch, switched, revocations };
}

test('an answer that was long on its way does not undo a later pause', async () => {
  const answers: ((answer: OperatorState) => void)[] = [];
  const { watch, switched } = world(() => new Promise((resolve) => answers.push(resolve)));
  const before = watch.look();
  await settle();
  // The pause is committed now, and whoever did it looks.
  const looks = [watch.look(), watch.look()];
  await settle();
  expect(answers).toHaveLength(1);
  answers[0]!(state(false));
  await before;
  await settle();
  expect(answers).toHaveLength(2);
  answers[1]!(state(true));
  expect(await Promise.all(looks)).toEqual([true, true]);
  expect(switched).toEqual(['pause']);
});

test('a log that was set back by a restore gives versions anew, and none is missed', async () => {
  const revoked = (subject: string, version: number): RevocationRow => {
    return { kind: 'user', subject, revokedAt: 5000, version };
  };
  let rows = [revoked('ann', 1), revoked('ben', 2), revoked('cat', 3)];
  const { watch, revocations } = world((after) => {
    const found = rows.filter(({ version }) => version > after);
    return Promise.resolve({ ...state(false, found), newest: rows.at(-1)!.version });
  });
  await watch.look();
  expect(revocations.version).toBe(3);
  rows = [revoked('ann', 1), revoked('dan', 2)];
  await watch.look();
  const isRevoked = (userId: string) => revocations.isRevoked({ userId, issuedAt: 4000 });
  expect(['ann', 'ben', 'cat', 'dan', 'eve'].filter(isRevoked)).toEqual(['ann', 'ben', 'cat', 'dan']);
  expect(revocations.version).toBe(2);
});
