import { memoryStorage, type SanctumError, type Storage } from '@sanctum/client';
import { fileStorage } from '@sanctum/client/node';
import { CliError } from '../cli-error.ts';

const OWNER = 'tail/owner';

/**
 * Where a follower keeps its places: a file, or nothing that outlives it.
 * @throws CliError for a file that cannot be used, or that keeps somebody else's places
 */
export async function openState(
  file: string | undefined,
  { url, userId }: { readonly url: string; readonly userId: string },
): Promise<Storage> {
  if (file === undefined) return memoryStorage();
  const storage = await fileStorage(file).catch((error: SanctumError) => {
    throw new CliError(
      error.message,
      'Another `sanctum tail` may be using it: end that one, or name another file.',
    );
  });
  const owner = JSON.stringify({ url, userId });
  const [stored] = await storage.entries(OWNER);
  if (stored === undefined) await storage.transaction((tx) => tx.put(OWNER, owner));
  else if (stored[1] !== owner) {
    await storage.close();
    throw new CliError(
      `${file} keeps the places of another user, or of another service`,
      'Take a file for each: a place means nothing anywhere else.',
    );
  }
  return storage;
}
