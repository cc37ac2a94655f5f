import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const SECRET_BYTES = 32;
const KEYS = ['JWT_JWKS_URL', 'JWT_PUBLIC_KEY', 'JWT_SECRET'] as const;

/**
 * The `JWT_*` settings of a development machine: whatever `env` holds, and for the rest an issuer, an audience
 * and a secret that is made once and kept in `<stateDir>/jwt-secret`, readable by its owner only.
 */
export async function developmentJwt(
  stateDir: string,
  env: NodeJS.ProcessEnv,
): Promise<Record<string, string>> {
  const settings: Record<string, string> = {
    JWT_ISSUER: env['JWT_ISSUER'] ?? 'sanctum',
    JWT_AUDIENCE: env['JWT_AUDIENCE'] ?? 'sanctum-messaging',
  };
  const given = KEYS.filter((name) => env[name] !== undefined && env[name] !== '');
  for (const name of given) settings[name] = env[name] as string;
  if (given.length === 0) settings['JWT_SECRET'] = await keptSecret(path.join(stateDir, 'jwt-secret'));
  return settings;
}

async function keptSecret(file: string): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true });
  try {
    await writeFile(file, `${randomBytes(SECRET_BYTES).toString('base64url')}\n`, {
      flag: 'wx',
      mode: 0o600,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return (await readFile(file, 'utf8')).trim();
}
