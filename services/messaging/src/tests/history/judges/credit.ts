import type { Judge } from '../judge.ts';

/** No more counted frames are under way unacknowledged than the credit allows (I10). */
export const credit: Judge = {
  check: 'credit',
  begin(run, report) {
    const told = new Set<string>();
    /** The frame at hand is counted already. */
    const judge = ({ at, connection: id }: { at: number; connection: string }): void => {
      const { received, acknowledged, credit: limit } = run.connection(id);
      const unacknowledged = received - acknowledged;
      if (unacknowledged <= limit || told.has(id)) return;
      told.add(id);
      report({
        at,
        connection: id,
        text: `${unacknowledged} frames unacknowledged, with a credit of ${limit}`,
      });
    };
    return { message: judge, gap: judge, member: judge, reset: judge };
  },
};
