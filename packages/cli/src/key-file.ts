import { parseKeyFile, type ConversationKeys } from '@sanctum/client/webcrypto';
import { readFile } from 'node:fs/promises';
import { CliError } from './cli-error.ts';
import { given, type Shell } from './shell.ts';

export const KEY_FILE_HELP = `
A key file has a line for each key, the newest last: a name, a space, 32 bytes in base64. One line without a name is
enough: \`openssl rand -base64 32 > chat.key\`. SANCTUM_KEY_FILE names one, too. Keys are never printed.`;

const NEXT = 'Make one with `openssl rand -base64 32 > chat.key`, and give it to every member.';

/** The keys of `--key-file`, or of the file that SANCTUM_KEY_FILE names; undefined where neither is given. */
export async function readKeyFile(
  shell: Pick<Shell, 'env'>,
  { keyFile }: { readonly keyFile?: string | undefined },
): Promise<ConversationKeys | undefined> {
  const file = keyFile ?? given(shell.env, 'SANCTUM_KEY_FILE');
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code = 'it failed' } = error as NodeJS.ErrnoException;
    throw new CliError(`cannot read the key file ${file}: ${code}`, NEXT);
  }
  try {
    return parseKeyFile(text);
  } catch (error) {
    throw new CliError(`${file} is no key file: ${(error as Error).message}`, NEXT);
  }
}
