import { Command } from 'commander';
import { UsageError } from '../cli-error.ts';
import {
  type After,
  afterValue,
  countValue,
  DEFAULT_URL,
  urlValue,
  userIdValue,
  uuidValue,
} from '../option-values.ts';
import { Output } from '../output.ts';
import type { Shell } from '../shell.ts';
import { eventLine } from '../tail/event-line.ts';
import { Follower, type Target } from '../tail/follower.ts';
import type { TailEvent } from '../tail/tail-event.ts';
import { tokenSource } from '../tokens.ts';

interface TailOptions {
  readonly conversation?: string;
  readonly all?: true;
  readonly as?: string;
  readonly token?: string;
  readonly url: string;
  readonly after: After;
  readonly count?: number;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  sanctum tail --all --as bob
  sanctum tail --conversation 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --as bob --after start --count 10
  sanctum tail --conversation 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --json \\
               --token "$(sanctum token --sub operator --scope messaging:operate)"

A line for each message: time, conversation, seq, message_id, sender, size of the ciphertext. It decrypts nothing.
Gaps, resets and changes of membership are lines of their own. It reconnects by itself and goes on where it was;
Ctrl-C ends it.`;

/** `sanctum tail`: follows messages as a client does. */
export function tailCommand(shell: Shell): Command {
  return new Command('tail')
    .description('follow messages as they arrive; decrypts nothing')
    .option('--conversation <id>', 'follow this conversation', uuidValue)
    .option('--all', 'follow every conversation of the user, new ones too')
    .option('--as <user>', 'who follows: with a token as `sanctum token` makes it', userIdValue)
    .option('--token <token>', 'who follows, by a token of yours')
    .option('--url <url>', 'where the service is', urlValue, DEFAULT_URL)
    .option('--after <place>', 'where to begin: start, head, or behind a seq', afterValue, 'head')
    .option('--count <n>', 'end after n messages', countValue)
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', EXAMPLES)
    .action((options: TailOptions) => tail(shell, options));
}

async function tail(shell: Shell, options: TailOptions): Promise<void> {
  const target = targetOf(options);
  const output = new Output(shell, options);
  const done = new AbortController();
  let left = options.count ?? Infinity;
  const show = (event: TailEvent) => {
    output.result(
      event,
      output.isJson ? '' : eventLine(event, { nowMs: shell.clock.now(), paint: output.paint }),
    );
    if (event.type === 'message' && --left === 0) done.abort();
  };
  const follower = new Follower({
    url: options.url,
    tokens: tokenSource(shell, options),
    target,
    clock: shell.clock,
    onEvent: show,
    note: (text) => output.note(text),
  });
  const undo = shell.onInterrupt(() => done.abort());
  try {
    await follower.run(done.signal);
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
