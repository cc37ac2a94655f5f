import { SCOPE_OPERATE } from '@sanctum/protocol/schemas';
import { CliError } from '../cli-error.ts';
import { processShell } from '../shell.ts';
import { mintToken } from '../tokens.ts';
import { serviceSettings } from './start-service.ts';

const TTL_MS = 12 * 3_600_000;

/**
 * The console's address with an operator's token behind `#`, which browsers send to no server; the bare address
 * where only somebody else's key can sign one.
 */
export async function consoleLink(adminUrl: string): Promise<string> {
  const shell = { env: { ...process.env, ...serviceSettings() }, clock: processShell.clock };
  try {
    const { token } = await mintToken(shell, { sub: 'operator', scopes: [SCOPE_OPERATE], ttlMs: TTL_MS });
    return `${adminUrl}/#token=${token}`;
  } catch (error) {
    if (error instanceof CliError) return `${adminUrl}/`;
    throw error;
  }
}
