import type { PodProcess } from '../support/pod.ts';
import { eventually } from '../support/eventually.ts';
import { promised, type Promised } from './scenario.ts';

const LAST_WORDS_MS = 500;
/** What a pod logs last: its drain is done, or its grace was over before that. */
const LAST_WORDS = ['server_stopped', 'shutdown_forced'];

/** What is owed by a pod that was asked to end: within its grace it is done with its clients and messages, and ends with 0. */
export async function endOfDrain(
  name: string,
  {
    logs,
    process: { exitCode },
  }: Pick<PodProcess, 'logs'> & { readonly process: { exitCode: number | null } },
): Promise<Promised> {
  const said = (event: string) => logs.some((line) => line['event'] === event);
  // The process may have ended before its last lines were read.
  await eventually(() => {
    if (!LAST_WORDS.some(said)) throw new Error('not yet');
  }, LAST_WORDS_MS).catch(() => undefined);
  const how = said('shutdown_forced')
    ? 'did not drain within its grace'
    : said('server_stopped')
      ? 'drained'
      : 'failed to drain';
  return promised(`${name} ${how}, and ended with ${exitCode}`, how === 'drained' && exitCode === 0);
}
