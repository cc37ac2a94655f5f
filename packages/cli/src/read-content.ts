import { encodeBase64, isCanonicalBase64 } from '@sanctum/protocol';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { CliError, UsageError } from './cli-error.ts';
import type { Shell } from './shell.ts';

/** No service takes more, whatever its PAYLOAD_MAX_BYTES. */
const CONTENT_MAX_BYTES = 1024 * 1024;

export interface CiphertextOptions {
  readonly ciphertext?: string | undefined;
  readonly file?: string | undefined;
}

/** The ciphertext of a message as canonical base64: given as such, or bytes of a file or of the input. */
export async function readCiphertext(
  shell: Pick<Shell, 'stdin'>,
  options: CiphertextOptions,
): Promise<string> {
  const { ciphertext, file } = options;
  if (ciphertext !== undefined && file !== undefined) {
    throw new UsageError('give the ciphertext in one way: --ciphertext, --file or standard input');
  }
  if (ciphertext !== undefined) {
    if (ciphertext !== '' && isCanonicalBase64(ciphertext)) return ciphertext;
    throw new UsageError('--ciphertext must be canonical base64: padded, without white space, not empty');
  }
  if (file !== undefined) return encodeBase64(await bytesOf(createReadStream(file), file));
  if (shell.stdin.isTTY === true) {
    throw new UsageError(
      'there is no ciphertext: give --ciphertext <base64>, --file <path>, or bytes on standard input',
      'Encrypt first, then send; or give a key, and it is encrypted here: --key-file <path>.',
    );
  }
  return encodeBase64(await bytesOf(shell.stdin, 'standard input'));
}

/** What is to be encrypted: a text, or bytes of a file or of the input. */
export async function readPlaintext(
  shell: Pick<Shell, 'stdin'>,
  { text, file }: { readonly text?: string | undefined; readonly file?: string | undefined },
): Promise<Uint8Array> {
  if (text !== undefined && file !== undefined) {
    throw new UsageError('give the message in one way: --text, --file or standard input');
  }
  if (text !== undefined) return new TextEncoder().encode(text);
  if (file !== undefined) return bytesOf(createReadStream(file), file);
  if (shell.stdin.isTTY !== true) return bytesOf(shell.stdin, 'standard input');
  throw new UsageError('there is no message: give --text <text>, --file <path>, or bytes on standard input');
}

async function bytesOf(stream: Readable, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer | string>) {
      chunks.push(Buffer.from(chunk as Buffer));
      bytes += chunk.length;
      if (bytes > CONTENT_MAX_BYTES) throw new CliError(`${name} holds more than a message may: 1 MiB`);
    }
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(`cannot read ${name}: ${(error as NodeJS.ErrnoException).code ?? 'it failed'}`);
  }
  if (bytes === 0) throw new CliError(`${name} is empty: a message has at least one byte`);
  return Buffer.concat(chunks);
}
