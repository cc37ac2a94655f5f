import type { Trace } from '@sanctum/protocol/admin';
import { traceWhole } from '@sanctum/messaging/adapters/trace';
import { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { type StoreOptions, withStoreOptions, withStores } from '../operator/stores.ts';
import { uuidValue } from '../option-values.ts';
import { Output, printable } from '../output.ts';
import type { Shell } from '../shell.ts';

interface TraceOptions extends StoreOptions {
  readonly conversation?: string;
}

const EXAMPLES = `
Examples:
  sanctum trace 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b
  sanctum trace 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --json

Where a message has come to: accepted, dispatched, read, published, and which connected members are past it now. The
content is not shown.`;

/** `sanctum trace`: a message's way. */
export function traceCommand(shell: Shell): Command {
  return withStoreOptions(new Command('trace'))
    .description('say where a message has come to')
    .argument('<message_id>', 'the message', uuidValue)
    .option('--conversation <id>', 'in this conversation, where several have it', uuidValue)
    .addHelpText('after', EXAMPLES)
    .action(async (messageId: string, options: TraceOptions) => {
      const output = new Output(shell, options);
      await withStores(shell, { options, output }, async ({ pool, inspector, questions, config }) => {
        const trace = await traceWhole(
          { pool, inspector, questions, partitions: config.stream.partitions },
          { messageId, conversationId: options.conversation },
        );
        if (trace === undefined) {
          throw new CliError('the log holds no such message', 'It has expired, or was never accepted.');
        }
        output.result(trace, text(trace));
      });
    });
}

function text(trace: Trace): string {
  const { dispatch, stream } = trace;
  return [
    `message       ${trace.message_id}`,
    `conversation  ${trace.conversation_id}, seq ${trace.seq}, ${trace.members} members`,
    `accepted      ${trace.accepted.at}, ${trace.size_bytes} bytes from ${printable(trace.sender ?? '-')}`,
    `dispatched    ${dispatchText(dispatch)}`,
    `read          ${stream === null ? 'Redis cannot be asked' : readText(stream)}`,
    `published     ${stream?.published === true ? 'yes, and acknowledged' : publishedText(stream)}`,
    `delivered     ${trace.readers_past} of ${trace.readers_total} connected readers are past it`,
    ...trace.readers.map((reader) => {
      const state = reader.past ? 'past it' : `at ${reader.cursor}${reader.slow ? ', slow' : ''}`;
      return `              ${printable(reader.user_id)} on ${printable(reader.pod)}: ${state}`;
    }),
    ...(trace.pods_missing.length === 0
      ? []
      : [
          `              did not answer in time: ${trace.pods_missing.map((pod) => printable(pod)).join(', ')}`,
        ]),
  ].join('\n');
}

function dispatchText({
  status,
  at,
  attempts,
  last_error: error,
  replay_no: replays,
}: Trace['dispatch']): string {
  const again = replays > 0 ? `, sent again ${replays} times` : '';
  if (status === 'sent') return `${at}${again}`;
  const failed = attempts > 0 ? `, ${attempts} attempts failed: ${printable(error ?? 'unknown')}` : '';
  return `${status === 'dead' ? 'dead' : 'not yet'}${failed}${again}`;
}

function readText(stream: NonNullable<Trace['stream']>): string {
  if (stream.state === 'not_sent') return 'not on the stream yet';
  if (stream.state === 'gone') return 'not on the stream any more';
  if (stream.state === 'too_many') return 'too many entries to look through';
  return stream.read ? `yes, entry ${stream.entry_id}` : `not yet, entry ${stream.entry_id}`;
}

function publishedText(stream: Trace['stream']): string {
  if (stream?.pending_with == null) return stream?.state === 'found' ? 'not yet' : 'unknown';
  return `not acknowledged by ${printable(stream.pending_with)}`;
}
