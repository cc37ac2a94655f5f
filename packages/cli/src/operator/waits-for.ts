import { PostgresOperatorLog } from '@sanctum/messaging/adapters/postgres/operator-log';
import type { Output } from '../output.ts';
import type { Stores } from './stores.ts';

/** Says why messages that are set to be sent again wait: a stage on their way is paused, or no living pod does it. */
export async function noteWhatTheyWaitFor(
  { pool, fleet }: Pick<Stores, 'pool' | 'fleet'>,
  output: Pick<Output, 'note'>,
): Promise<void> {
  const controls = await new PostgresOperatorLog(pool).controls();
  const paused = controls.filter((control) => control.paused).map(({ stage }) => stage);
  const alive = fleet.alive();
  for (const stage of ['dispatcher', 'consumer'] as const) {
    if (paused.includes(stage)) output.note(`the ${stage} is paused: they wait until it runs`);
    else if (!alive.some((pod) => pod[stage]))
      output.note(
        `the ${stage} is on no living pod (${stage.toUpperCase()}_ENABLED=true): they wait until it runs`,
      );
  }
  if (paused.includes('delivery')) output.note('delivery is paused: they wait until it runs');
}
