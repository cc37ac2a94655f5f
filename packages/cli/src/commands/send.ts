import { memoryStorage } from '@sanctum/client';
import { webCryptoCipher, type ConversationKeys } from '@sanctum/client/webcrypto';
import { base64ByteLength, encodeBase64 } from '@sanctum/protocol';
import type {
  CreateConversationBody,
  CreatedConversation,
  PostedMessage,
  PostMessageBody,
} from '@sanctum/protocol/schemas';
import { Command } from 'commander';
import { callService } from '../call-service.ts';
import { UsageError } from '../cli-error.ts';
import { KEY_FILE_HELP, readKeyFile } from '../key-file.ts';
import {
  keyIdValue,
  schemeValue,
  urlOption,
  userIdsValue,
  userIdValue,
  uuidValue,
} from '../option-values.ts';
import { serviceUrl } from '../operator/local-run.ts';
import { Output } from '../output.ts';
import { readCiphertext, readPlaintext } from '../read-content.ts';
import type { Shell } from '../shell.ts';
import { tokenSource } from '../tokens.ts';
import { uuidV7 } from '../uuid-v7.ts';

interface SendOptions {
  readonly conversation?: string;
  readonly as?: string;
  readonly token?: string;
  readonly url?: string;
  readonly keyFile?: string;
  readonly text?: string;
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
  sanctum send --as alice --create --member bob --key-file chat.key --text 'Hello, Bob.'
  echo 'Hello again.' | sanctum send --conversation 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --as alice --key-file chat.key
  sanctum send --conversation 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --token "$TOKEN" --file message.enc --scheme mls
  sanctum send --conversation 0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b --as alice --ciphertext 3q2+7w==

With a key file the message is encrypted before it leaves this process; --text is seen by whoever may list its
arguments, standard input is not. Without one, what you give is taken for ciphertext, and stored and delivered as it
is; sent again with the same --message-id it is not stored twice.
${KEY_FILE_HELP}`;

/** `sanctum send`: posts one message, encrypted here or elsewhere. */
export function sendCommand(shell: Shell): Command {
  return new Command('send')
    .description('send one message; encrypts with a key file, else takes ciphertext')
    .option('--conversation <id>', 'the conversation; with --create, a new id unless given', uuidValue)
    .option('--as <user>', 'who sends: with a token as `sanctum token` makes it', userIdValue)
    .option('--token <token>', 'who sends, by a token of yours')
    .addOption(urlOption())
    .option('--key-file <path>', 'encrypt with the last key of this file')
    .option('--text <text>', 'the message; needs a key file')
    .option('--ciphertext <base64>', 'the ciphertext')
    .option('--file <path>', 'a file with the message, or with the ciphertext (default: standard input)')
    .option('--scheme <name>', 'how it was encrypted elsewhere, for the readers', schemeValue)
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
  const tokens = tokenSource(shell, options);
  const token = await tokens.next();
  const conversationId = options.conversation ?? uuidV7(shell.clock.now());
  const messageId = options.messageId ?? uuidV7(shell.clock.now());
  // Ciphertext is sent as it is, also where the environment names a key file.
  const isSealed = options.ciphertext !== undefined || options.scheme !== undefined;
  const keys = isSealed ? undefined : await readKeyFile(shell, options);
  if (keys === undefined && options.text !== undefined) {
    throw new UsageError('--text is not encrypted yet: give a key with --key-file', NEW_KEY);
  }
  const body: PostMessageBody =
    keys === undefined
      ? { message_id: messageId, ciphertext: await readCiphertext(shell, options), ...encryptionOf(options) }
      : await sealed(await readPlaintext(shell, options), keys, {
          conversationId,
          messageId,
          sender: tokens.userId(),
        });
  const context = { clock: shell.clock, note: (text: string) => output.note(text) };
  const to = { url: await serviceUrl(shell, options, output), token };

  if (!output.isJson && keys === undefined) {
    output.note('without a key file `send` does not encrypt: what it is given is stored as it is');
  }
  if (options.create) {
    const members: CreateConversationBody = {
      conversation_id: conversationId,
      members: [...(options.member ?? [])],
    };
    await callService<CreatedConversation>({ ...to, path: '/v1/conversations', body: members }, context);
  }
  const path = `/v1/conversations/${conversationId}/messages`;
  const again =
    keys === undefined
      ? `Send it again with --conversation ${conversationId} --message-id ${messageId}: it is stored once.`
      : `It may have been stored: look for ${messageId} with \`sanctum tail --conversation ${conversationId} --after start\`.`;
  const answer = await callService<PostedMessage>({ ...to, path, body, again }, context);
  const repeated = answer.headers.get('idempotent-replay') === 'true';
  output.result(
    { ...answer.body, repeated },
    describe(answer.body, { repeated, bytes: base64ByteLength(body.ciphertext) }),
  );
}

const NEW_KEY = 'Make one with `openssl rand -base64 32 > chat.key`.';

/** The message, encrypted. Each run counts its nonces anew: see docs/keys.md. */
async function sealed(
  plaintext: Uint8Array,
  keys: ConversationKeys,
  context: { readonly conversationId: string; readonly messageId: string; readonly sender: string },
): Promise<PostMessageBody> {
  const cipher = webCryptoCipher({ keys, storage: memoryStorage() });
  const { ciphertext, scheme, keyId } = await cipher.encrypt(plaintext, context);
  return {
    message_id: context.messageId,
    ciphertext: encodeBase64(ciphertext),
    encryption: { scheme, ...(keyId !== undefined && { key_id: keyId }) },
  };
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
  if (options.keyFile !== undefined && (options.ciphertext ?? options.scheme) !== undefined) {
    throw new UsageError('--key-file encrypts what is not encrypted: leave out --ciphertext and --scheme');
  }
}

function encryptionOf({ scheme, keyId }: SendOptions): Pick<PostMessageBody, 'encryption'> {
  if (scheme === undefined) return {};
  return { encryption: { scheme, ...(keyId !== undefined && { key_id: keyId }) } };
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
