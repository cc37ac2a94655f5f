import { base64ByteLength } from '@sanctum/protocol';
import type {
  CreateConversationBody,
  CreatedConversation,
  PostedMessage,
  PostMessageBody,
} from '@sanctum/protocol/schemas';
import { Command } from 'commander';
import { callService } from '../call-service.ts';
import { UsageError } from '../cli-error.ts';
import {
  DEFAULT_URL,
  keyIdValue,
  schemeValue,
  urlValue,
  userIdsValue,
  userIdValue,
  uuidValue,
} from '../option-values.ts';
import { Output } from '../output.ts';
import { readCiphertext } from '../read-ciphertext.ts';
import type { Shell } from '../shell.ts';
import { tokenSource } from '../tokens.ts';
import { uuidV7 } from '../uuid-v7.ts';

interface SendOptions {
  readonly conversation?: string;
  readonly as?: string;
  readonly token?: string;
  readonly url: string;
  readonly ciphertext?: string;
  readonly file?: string;
  readonly scheme?: string;
  readonly keyId?: string;
  readonly messageId?: string;
  readonly create?: true;
  readonly member?: readonly string[];
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  openssl rand 64 | sanctum send --as alice --create --member bob
  sanctum send --conversation 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --as alice --file message.enc --scheme mls
  sanctum send --conversation 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --token "$TOKEN" --ciphertext 3q2+7w==

It does not encrypt. What you give it is taken for ciphertext, and stored and delivered as it is.
A message that was sent already, with the same --message-id, is not stored twice.`;

/** `sanctum send`: posts one message that was encrypted elsewhere. */
export function sendCommand(shell: Shell): Command {
  return new Command('send')
    .description('send one message; takes ciphertext, and does not encrypt')
    .option('--conversation <id>', 'the conversation; with --create, a new id unless given', uuidValue)
    .option('--as <user>', 'who sends: with a token as `sanctum token` makes it', userIdValue)
    .option('--token <token>', 'who sends, by a token of yours')
    .option('--url <url>', 'where the service is', urlValue, DEFAULT_URL)
    .option('--ciphertext <base64>', 'the ciphertext')
    .option('--file <path>', 'a file with the bytes of the ciphertext (default: standard input)')
    .option('--scheme <name>', 'how it was encrypted, for the readers', schemeValue)
    .option('--key-id <id>', 'with which key; needs --scheme', keyIdValue)
    .option('--message-id <id>', 'the id of the message (default: a new one)', uuidValue)
    .option('--create', 'create the conversation first, with the sender as its owner')
    .option('--member <user>', 'a further member of the new conversation; may be repeated', userIdsValue)
    .option('--json', 'print the result as JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: SendOptions) => send(shell, options));
}

async function send(shell: Shell, options: SendOptions): Promise<void> {
  assertConsistent(options);
  const output = new Output(shell, options);
  const token = await tokenSource(shell, options).next();
  const body = messageBody(options, await readCiphertext(shell, options), uuidV7(shell.clock.now()));
  const conversationId = options.conversation ?? uuidV7(shell.clock.now());
  const context = { clock: shell.clock, note: (text: string) => output.note(text) };
  const to = { url: options.url, token };

  if (!output.isJson) output.note('`send` does not encrypt: what it is given is stored as it is');
  if (options.create) {
    const members: CreateConversationBody = {
      conversation_id: conversationId,
      members: [...(options.member ?? [])],
    };
    await callService<CreatedConversation>({ ...to, path: '/v1/conversations', body: members }, context);
  }
  const path = `/v1/conversations/${conversationId}/messages`;
  const again = `Send it again with --conversation ${conversationId} --message-id ${body.message_id}: it is stored once.`;
  const answer = await callService<PostedMessage>({ ...to, path, body, again }, context);
  const repeated = answer.headers.get('idempotent-replay') === 'true';
  output.result(
    { ...answer.body, repeated },
    describe(answer.body, { repeated, bytes: base64ByteLength(body.ciphertext) }),
  );
}

function assertConsistent(options: SendOptions): void {
  if (options.conversation === undefined && !options.create) {
    throw new UsageError('say where to: --conversation <id>, or --create for a new one');
  }
  if (options.member !== undefined && !options.create) {
    throw new UsageError('--member is for a conversation that is created: add --create');
  }
  if (options.keyId !== undefined && options.scheme === undefined) {
    throw new UsageError('--key-id needs --scheme beside it');
  }
}

function messageBody(
  { scheme, keyId, messageId }: SendOptions,
  ciphertext: string,
  newId: string,
): PostMessageBody {
  const message = { message_id: messageId ?? newId, ciphertext };
  if (scheme === undefined) return message;
  return { ...message, encryption: { scheme, ...(keyId !== undefined && { key_id: keyId }) } };
}

function describe(posted: PostedMessage, { repeated, bytes }: { repeated: boolean; bytes: number }): string {
  return [
    repeated ? 'was sent before:' : 'sent:',
    `  conversation  ${posted.conversation_id}`,
    `  message_id    ${posted.message_id}`,
    `  seq           ${posted.seq}`,
    `  epoch         ${posted.epoch}`,
    `  occurred_at   ${posted.occurred_at}`,
    `  ciphertext    ${bytes} bytes`,
  ].join('\n');
}
