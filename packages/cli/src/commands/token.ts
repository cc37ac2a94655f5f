import { formatTime } from '@sanctum/protocol';
import { SCOPE_MANAGE, SCOPE_OPERATE } from '@sanctum/protocol/schemas';
import { Command, InvalidArgumentError, Option } from 'commander';
import { durationValue, userIdValue } from '../option-values.ts';
import { Output } from '../output.ts';
import type { Shell } from '../shell.ts';
import { mintToken } from '../tokens.ts';

interface TokenOptions {
  readonly sub: string;
  readonly scope?: readonly string[];
  readonly ttl: number;
  readonly sid?: string;
  readonly json?: true;
}

const SCOPES: readonly string[] = [SCOPE_MANAGE, SCOPE_OPERATE];
const TTL_DEFAULT = '1h';

const EXAMPLES = `
Examples:
  export TOKEN=$(sanctum token --sub alice)
  sanctum token --sub operator --scope "${SCOPE_MANAGE} ${SCOPE_OPERATE}" --ttl 15m

It signs with JWT_SECRET, or with the development secret in .sanctum/jwt-secret, as the service on this machine
does; JWT_ISSUER and JWT_AUDIENCE are read from the environment too. Where the service checks tokens with a public
key, tokens come from wherever your users log in.`;

/** `sanctum token`: a token for trying things out. */
export function tokenCommand(shell: Shell): Command {
  return new Command('token')
    .description('print a token for a user')
    .requiredOption('--sub <user>', 'the user whom the token is for', userIdValue)
    .option('--scope <scopes>', `${SCOPES.join(', ')}, or both, parted by spaces`, scopesValue)
    .addOption(ttlOption())
    .option('--sid <login>', 'names the login, so that it can be revoked alone', userIdValue)
    .option('--json', 'print the token with its claims as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async ({ sub, scope, ttl, sid, ...options }: TokenOptions) => {
      const minted = await mintToken(shell, { sub, scopes: scope, sid, ttlMs: ttl });
      const { token, issuer, audience, expiresAtMs } = minted;
      const expires_at = formatTime(expiresAtMs);
      const value = { token, sub, scope: scope ?? [], sid, issuer, audience, expires_at };
      new Output(shell, options).result(value, token);
    });
}

function ttlOption(): Option {
  return new Option('--ttl <duration>', 'how long it is valid, as 30s, 15m, 1h or 7d')
    .argParser(durationValue)
    .default(durationValue(TTL_DEFAULT), TTL_DEFAULT);
}

function scopesValue(text: string): readonly string[] {
  const scopes = text.split(' ').filter(Boolean);
  if (scopes.length > 0 && scopes.every((scope) => SCOPES.includes(scope))) return [...new Set(scopes)];
  throw new InvalidArgumentError(`It must be ${SCOPES.join(' or ')}, or both, parted by spaces.`);
}
