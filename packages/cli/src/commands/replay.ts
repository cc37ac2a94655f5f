import { isTime } from '@sanctum/protocol';
import { PostgresOperations } from '@sanctum/messaging/adapters/postgres/operations';
import { startReplay } from '@sanctum/messaging/adapters/postgres/operator-work';
import { PostgresReplayLog } from '@sanctum/messaging/adapters/postgres/replay-log';
import type { JobEstimate } from '@sanctum/protocol/admin';
import { Command, InvalidArgumentError } from 'commander';
import { assertConfirmed } from '../operator/assert-confirmed.ts';
import { runJob } from '../operator/follow-job.ts';
import { type StoreOptions, withStoreOptions, withStores } from '../operator/stores.ts';
import { clientsText } from '../operator/texts.ts';
import { noteWhatTheyWaitFor } from '../operator/waits-for.ts';
import { UsageError } from '../cli-error.ts';
import { durationValue, reasonValue, uuidValue } from '../option-values.ts';
import { Output } from '../output.ts';
import type { Shell } from '../shell.ts';

interface ReplayOptions extends StoreOptions {
  readonly conversation: string;
  readonly since: Moment;
  readonly until?: Moment;
  readonly dryRun?: true;
  readonly reason?: string;
}

/** A time, or how long ago: milliseconds. */
type Moment = { readonly at: number } | { readonly ago: number };

const EXAMPLES = `
Examples:
  sanctum replay --conversation 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --since 1h --dry-run
  sanctum replay --conversation 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --since 2026-11-25T03:00:00.000Z --yes

Messages that were sent go out once more, with the same message_id and seq; clients know them by these. It goes
piece by piece; Ctrl-C stops it after a piece, and what was done stays done.`;

/** `sanctum replay`: sends a conversation's messages of some time again. */
export function replayCommand(shell: Shell): Command {
  return withStoreOptions(new Command('replay'))
    .description("send a conversation's messages of some time once more")
    .requiredOption('--conversation <id>', 'of this conversation', uuidValue)
    .requiredOption('--since <when>', 'committed after this: a time, or 15m, 1h, 2d ago', momentValue)
    .option('--until <when>', 'committed before this (default: now)', momentValue)
    .option('--dry-run', 'say how many messages and clients it would touch; change nothing')
    .option('--reason <text>', 'why, for the record', reasonValue)
    .option('--yes', 'do not ask')
    .addHelpText('after', EXAMPLES)
    .action((options: ReplayOptions) => replay(shell, options));
}

async function replay(shell: Shell, options: ReplayOptions): Promise<void> {
  const output = new Output(shell, options);
  const end = new AbortController();
  await withStores(shell, { options, output, end: end.signal }, async (stores) => {
    const { pool, jobs, questions, operator } = stores;
    // The clock that wrote the messages' times: this machine's may be off.
    const now = await new PostgresOperations(pool).readTime();
    const { conversation: conversationId, reason } = options;
    const range = {
      conversationId,
      since: momentOf(options.since, now),
      until: options.until === undefined ? now : momentOf(options.until, now),
    };
    if (range.until <= range.since) {
      throw new UsageError('--until must be later than --since: nothing lies between them');
    }
    const replays = new PostgresReplayLog(pool);
    const estimate = await replays.estimate(range);
    const touches: JobEstimate = { ...estimate, ...(await questions.reach([conversationId])) };
    const touched = `${estimate.messages} messages, to ${clientsText(touches)}`;
    if (estimate.messages > 0) await noteWhatTheyWaitFor(stores, output);
    if (options.dryRun) return output.result(touches, touched);
    if (estimate.messages === 0) {
      const text =
        'nothing to send again: no message of that conversation was sent in that time, or it already waits to be sent';
      return output.result(touches, text);
    }
    await assertConfirmed(shell, options, `Send again ${touched}?`);
    await runJob(shell, { jobs, output, end }, () =>
      startReplay({ jobs, replays }, { range, estimate, by: operator, reason }),
    );
  });
}

function momentValue(text: string): Moment {
  if (isTime(text)) return { at: Date.parse(text) };
  try {
    return { ago: durationValue(text) };
  } catch {
    throw new InvalidArgumentError('It must be a time such as 2026-11-25T03:00:00.000Z, or 15m, 1h, 2d ago.');
  }
}

function momentOf(moment: Moment, now: number): number {
  return 'at' in moment ? moment.at : now - moment.ago;
}
