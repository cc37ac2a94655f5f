import { isUuid } from '@sanctum/protocol';
import type { DeadLetter, DeadLetterKind, DeadLetters, JobEstimate } from '@sanctum/protocol/admin';
import { PostgresDeadLetters } from '@sanctum/messaging/adapters/postgres/dead-letters';
import { startRequeue } from '@sanctum/messaging/adapters/postgres/operator-work';
import { Command, Option } from 'commander';
import { UsageError } from '../cli-error.ts';
import { assertConfirmed } from '../operator/assert-confirmed.ts';
import { runJob } from '../operator/follow-job.ts';
import { ageText, clientsText } from '../operator/texts.ts';
import { type StoreOptions, withStoreOptions, withStores } from '../operator/stores.ts';
import { noteWhatTheyWaitFor } from '../operator/waits-for.ts';
import { countValue, reasonValue, uuidValue } from '../option-values.ts';
import { Output, printable } from '../output.ts';
import type { Shell } from '../shell.ts';

interface ListOptions extends StoreOptions {
  readonly kind: DeadLetterKind;
  readonly cause?: string;
  readonly conversation?: string;
  readonly limit: number;
}

interface RequeueOptions extends ListOptions {
  readonly id?: string[];
  readonly all?: true;
  readonly dryRun?: true;
  readonly reason?: string;
}

const EXAMPLES = `
Examples:
  sanctum dead-letters
  sanctum dead-letters --cause refused --conversation 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b
  sanctum dead-letters --kind entry --json
  sanctum dead-letters requeue --cause refused --dry-run

\`row\`: rows of the outbox that are dead. \`entry\`: stream entries that no consumer could use. No content is shown.`;

const REQUEUE_EXAMPLES = `
Examples:
  sanctum dead-letters requeue --cause refused --dry-run
  sanctum dead-letters requeue --id 4711 --id 4712 --yes
  sanctum dead-letters requeue --all --yes

A row is dispatched again; of an entry, the message that it names is sent again, and the entry forgotten. Find the
cause first: what is not mended dies again.`;

/** `sanctum dead-letters` lists what died, `sanctum dead-letters requeue` tries it again. */
export function deadLettersCommand(shell: Shell): Command {
  const list = common(new Command('dead-letters'))
    .description('list what could not be sent, or try it again')
    .option('--limit <n>', 'so many of them, the newest first', countValue, 50)
    .addHelpText('after', EXAMPLES)
    .action((options: ListOptions) => show(shell, options));
  const requeue = common(new Command('requeue'))
    .description('try them again: some, by cause, by conversation, or all')
    .option('--id <id>', 'this one; may be given several times', idsValue)
    .option('--all', 'every one of the kind')
    .option('--dry-run', 'say how many it would touch; change nothing')
    .option('--reason <text>', 'why, for the record', reasonValue)
    .option('--yes', 'do not ask')
    .addHelpText('after', REQUEUE_EXAMPLES)
    .action((_own: object, command: Command) => {
      // Wherever it stands on the line, commander gives it to the outer command.
      if (list.getOptionValueSource('limit') === 'cli')
        throw new UsageError('requeue takes no --limit: name what to try first with --id or --cause');
      return tryAgain(shell, command.optsWithGlobals<RequeueOptions>());
    });
  return list.addCommand(requeue);
}

function common(command: Command): Command {
  return withStoreOptions(command)
    .addOption(new Option('--kind <kind>', 'of which kind').choices(['row', 'entry']).default('row'))
    .option('--cause <cause>', 'only those of this cause')
    .option('--conversation <id>', 'only those of this conversation', uuidValue);
}

async function show(shell: Shell, options: ListOptions): Promise<void> {
  const output = new Output(shell, options);
  await withStores(shell, { options, output }, async ({ pool }) => {
    const { kind, cause, conversation: conversationId, limit } = options;
    const log = new PostgresDeadLetters(pool);
    const page = { before: Number.MAX_SAFE_INTEGER, limit };
    const filter = { cause, conversationId };
    const isFiltered = cause !== undefined || conversationId !== undefined;
    const found = await log.list(kind, filter, page);
    const matching = isFiltered ? (await log.estimate(kind, filter)).messages : undefined;
    const causes = await log.causes(kind);
    const total = causes.reduce((sum, { count }) => sum + count, 0);
    const result: Omit<DeadLetters, 'next_cursor'> = { dead_letters: found, causes, total };
    const lines = [
      `${total === 0 ? 'no' : total} dead letters (${kind})${isFiltered ? ' in all' : ''}`,
      ...causes.map(({ cause: name, count, oldest_at: at }) => {
        return `  ${String(count).padStart(7)}  ${printable(name, 60)}, since ${at}`;
      }),
      ...(matching === undefined ? [] : [`${matching} that match`]),
      ...found.map(line),
    ];
    output.result(result, lines.join('\n'));
  });
}

async function tryAgain(shell: Shell, options: RequeueOptions): Promise<void> {
  const { kind, id: ids, cause, conversation: conversationId, all, dryRun, reason } = options;
  if (ids === undefined && cause === undefined && conversationId === undefined && all !== true) {
    throw new UsageError('say which: --id <id>, --cause <cause>, --conversation <id>, or --all');
  }
  const output = new Output(shell, options);
  const end = new AbortController();
  await withStores(shell, { options, output, end: end.signal }, async (stores) => {
    const { pool, jobs, questions, operator } = stores;
    const log = new PostgresDeadLetters(pool);
    const filter = { ids, cause, conversationId };
    const { lastId, conversationIds, ...estimate } = await log.estimate(kind, filter);
    const touches: JobEstimate = { ...estimate, ...(await questions.reach(conversationIds)) };
    const { messages, conversations } = estimate;
    const touched = `${messages} of ${conversations} conversations, to ${clientsText(touches)}`;
    if (messages > 0) await noteWhatTheyWaitFor(stores, output);
    if (dryRun === true) return output.result(touches, touched);
    if (messages === 0)
      return output.result(touches, 'nothing to requeue: `sanctum dead-letters` lists what there is');
    await assertConfirmed(shell, options, `Requeue ${touched}?`);
    await runJob(shell, { jobs, output, end }, () =>
      startRequeue(
        { jobs, deadLetters: log },
        { kind, filter, estimate: { messages, lastId }, by: operator, reason },
      ),
    );
  });
}

function line(letter: DeadLetter): string {
  const place = isUuid(letter.conversation_id) ? `${letter.conversation_id} ${letter.seq ?? ''}` : '-';
  const name = letter.entry_id ?? letter.message_id ?? '-';
  const cause = printable(letter.cause, 60);
  return `  ${letter.id.padStart(7)}  ${ageText(letter.age_seconds).padStart(6)}  ${place}  ${name}  ${cause}`;
}

function idsValue(text: string, before: readonly string[] | undefined): string[] {
  if (!/^[1-9]\d{0,15}$/.test(text))
    throw new UsageError(`--id ${printable(text)}: it must be a number as listed`);
  return [...(before ?? []), text];
}
