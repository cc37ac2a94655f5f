import { describe, expect, it } from 'vitest';
import type { ChaosRun } from '../../services/messaging/src/tests/chaos/chaos-run.ts';
import { countedRuns } from './evidence.ts';

const run = (round: number, code: string, ...failures: string[]) =>
  ({ scenario: 'a-fault', postgres: 18, round, code, failures }) as unknown as ChaosRun;

describe('the runs that count', () => {
  it('a round that failed is not undone by running it again', () => {
    const runs = [run(1, 'new', 'lost'), run(2, 'new'), run(1, 'new')];
    expect(countedRuns(runs)).toEqual([run(2, 'new'), run(1, 'new', 'lost'), run(1, 'new')]);
  });

  it('what older code came to gives way, round by round', () => {
    const runs = [run(1, 'old', 'lost'), run(2, 'old'), run(1, 'new')];
    expect(countedRuns(runs)).toEqual([run(2, 'old'), run(1, 'new')]);
  });
});
