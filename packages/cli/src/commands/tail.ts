import { Command } from 'commander';
import { callService } from '../call-service.ts';
import { UsageError } from '../cli-error.ts';
import { KEY_FILE_HELP, readKeyFile } from '../key-file.ts';
import { type After, afterValue, countValue, urlOption, userIdValue, uuidValue } from '../option-values.ts';
import { serviceUrl } from '../operator/local-run.ts';
import { Output } from '../output.ts';
import type { Shell } from '../shell.ts';
import { eventLine } from '../tail/event-line.ts';
import { follow, type Target } from '../tail/follow.ts';
import { openState } from '../tail/open-state.ts';
import type { TailEvent } from '../tail/tail-event.ts';
import { tokenSource } from '../tokens.ts';

interface TailOptions {
  readonly conversation?: string;
  readonly all?: true;
  readonly as?: string;
  readonly token?: string;
  readonly url?: string;
  readonly keyFile?: string;
  readonly state?: string;
  readonly after?: After;
  readonly count?: number;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  sanctum tail --all --as bob
  sanctum tail --all --as bob --key-file chat.key --state bob.state
  sanctum tail --conversation 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --as bob --after start --count 10
  sanctum tail --conversation 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --json \\
               --token "$(sanctum token --sub operator --scope messaging:operate)"

A line for each message: time, conversation, seq, message_id, sender, and its text where there is a key for it, else
the size of the ciphertext. Gaps, resets and changes of membership are lines of their own. It reconnects by itself
and goes on where it was; with --state also the next time, each line at least once. Ctrl-C ends it.
${KEY_FILE_HELP}`;

/** `sanctum tail`: follows messages as a client does. */
export function tailCommand(shell: Shell): Command {
  return new Command('tail')
    .description('follow messages as they arrive; decrypts with a key file')
    .option('--conversation <id>', 'follow this conversation', uuidValue)
    .option('--all', 'follow every conversation of the user, new ones too')
    .option('--as <user>', 'who follows: with a token as `sanctum token` makes it', userIdValue)
    .option('--token <token>', 'who follows, by a token of yours')
    .addOption(urlOption())
    .option('--key-file <path>', 'the keys to decrypt with')
    .option('--state <path>', 'a file that keeps the place, for the next time')
    .option(
      '--after <place>',
      'start, head, or behind a seq (default: where --state ends, else head)',
      afterValue,
    )
    .option('--count <n>', 'end after n messages', countValue)
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', EXAMPLES)
    .action((options: TailOptions) => tail(shell, options));
}

async function tail(shell: Shell, options: TailOptions): Promise<void> {
  const target = targetOf(options);
  const output = new Output(shell, options);
  const url = await serviceUrl(shell, options, output);
  const note = (text: string) => output.note(text);
  const tokens = tokenSource(shell, options);
  const userId = tokens.userId();
  const keys = await readKeyFile(shell, options);
  // A token or an address that is wrong is told better over HTTP than by a socket that does not open.
  const probe = {
    method: 'GET',
    url,
    path: '/v1/conversations?limit=1',
    token: await tokens.next(),
  } as const;
  await callService(probe, { clock: shell.clock, note });
  const storage = await openState(options.state, { url, userId });

  const knowsItsPlace = (await storage.entries('sanctum/')).length > 0;
  if (target.kind === 'all' && target.after !== undefined && knowsItsPlace) {
    await storage.close();
    throw new UsageError('--state has a place to go on from: leave out --after, or name another file');
  }

  const done = new AbortController();
  let left = options.count ?? Infinity;
  const onEvent = (event: TailEvent) => {
    // Not taken: whoever goes on with this place gets it.
    if (left === 0) throw new Error('enough was printed');
    const text = output.isJson ? '' : eventLine(event, { nowMs: shell.clock.now(), paint: output.paint });
    output.result(event, text);
    // After this one was stored as taken.
    if (event.type === 'message' && --left === 0) setImmediate(() => done.abort());
  };
  const undo = shell.onInterrupt(() => done.abort());
  try {
    await follow({ url, tokens, target, keys, storage, clock: shell.clock, onEvent, note }, done.signal);
  } finally {
    undo();
  }
}

function targetOf({ conversation, all, after }: TailOptions): Target {
  if ((conversation === undefined) === (all === undefined)) {
    throw new UsageError('say what to follow: --conversation <id>, or --all');
  }
  if (conversation !== undefined) return { kind: 'conversation', conversationId: conversation, after };
  if (typeof after !== 'number') return { kind: 'all', after };
  throw new UsageError('--after <seq> needs --conversation: a seq is a place in one conversation');
}
