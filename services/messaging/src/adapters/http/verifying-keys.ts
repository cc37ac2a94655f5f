import { createPublicKey, type KeyObject, webcrypto } from 'node:crypto';
import {
  createLocalJWKSet,
  type CryptoKey,
  errors,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWTHeaderParameters,
} from 'jose';
import { bounds } from '../../bounds.ts';
import type { Clock } from '../../clock.ts';
import type { VerifyingKey } from '../../config.ts';
import { Fault, reasonOf } from '../../errors.ts';
import type { Log } from '../../log.ts';

type Key = KeyObject | CryptoKey;

/** Where the key that a token names comes from. */
export interface VerifyingKeys {
  /** What a token's `alg` may be. A key is never used with an algorithm of another family. */
  readonly algorithms: readonly string[];
  /** @throws Fault `unavailable` when the key cannot be had now; a JOSEError when the token is at fault */
  keyFor(header: JWTHeaderParameters, token: FlattenedJWSInput): Promise<Key> | Key;
}

const HS256 = { name: 'HMAC', hash: 'SHA-256' };
const ASYMMETRIC = ['RS256', 'ES256', 'EdDSA', 'Ed25519'] as const;

export function verifyingKeys(
  key: VerifyingKey,
  deps: { readonly clock: Clock; readonly log: Log; readonly fetch?: typeof fetch },
): VerifyingKeys {
  if (key.kind === 'jwks') return new PublishedKeys(key.url, deps);
  if (key.kind === 'secret') {
    // Imported once: the library would do so for each token, at the price of the verification itself.
    const secret = webcrypto.subtle.importKey('raw', Buffer.from(key.secret), HS256, false, ['verify']);
    return { algorithms: ['HS256'], keyFor: () => secret };
  }
  const publicKey = createPublicKey(key.pem);
  return { algorithms: algorithmsOf(publicKey), keyFor: () => publicKey };
}

function algorithmsOf(key: KeyObject): string[] {
  if (key.asymmetricKeyType === 'rsa') return ['RS256'];
  return key.asymmetricKeyType === 'ec' ? ['ES256'] : ['EdDSA', 'Ed25519'];
}

/**
 * The keys that the identity provider publishes (JWKS). The last good set stays in use for as long as the
 * provider cannot be reached: its outage must not become ours. A set is asked for again when it is old, in the
 * background, and when a token names a key that is not in it, at most once in the cool-down.
 *
 * A key that is in no set we have is `unavailable`, not a verdict on the token: a provider that has just
 * rotated its keys would otherwise log everybody out.
 */
export class PublishedKeys implements VerifyingKeys {
  readonly algorithms = ASYMMETRIC;
  readonly #url: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #fetch: typeof fetch;
  #find: ReturnType<typeof createLocalJWKSet> | undefined;
  #fetchedAt = -Infinity;
  #triedAt = -Infinity;
  #refreshing: Promise<void> | undefined;

  constructor(
    url: string,
    deps: { readonly clock: Clock; readonly log: Log; readonly fetch?: typeof fetch },
  ) {
    this.#url = url;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#fetch = deps.fetch ?? fetch;
  }

  async keyFor(header: JWTHeaderParameters, token: FlattenedJWSInput): Promise<Key> {
    if (this.#find === undefined) await this.#refresh();
    else if (this.#clock.monotonic() - this.#fetchedAt > bounds.auth.keysMaxAgeMs) void this.#refresh();
    const known = await this.#lookUp(header, token);
    if (known !== undefined) return known;
    await this.#refresh();
    const found = await this.#lookUp(header, token);
    if (found !== undefined) return found;
    throw new Fault('unavailable', 'no published key of that kid');
  }

  async #lookUp(header: JWTHeaderParameters, token: FlattenedJWSInput): Promise<Key | undefined> {
    try {
      return await this.#find?.(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      throw error;
    }
  }

  /** Asks once for everybody who waits, and not again within the cool-down. Never rejects. */
  #refresh(): Promise<void> {
    if (this.#refreshing !== undefined) return this.#refreshing;
    const now = this.#clock.monotonic();
    const cooldownMs =
      this.#find === undefined ? bounds.auth.keysFirstCooldownMs : bounds.auth.keysCooldownMs;
    if (now - this.#triedAt < cooldownMs) return Promise.resolve();
    this.#triedAt = now;
    this.#refreshing = this.#load().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #load(): Promise<void> {
    try {
      const response = await this.#fetch(this.#url, {
        headers: { accept: 'application/jwk-set+json, application/json' },
        redirect: 'error',
        signal: AbortSignal.timeout(bounds.auth.keysTimeoutMs),
      });
      if (!response.ok) throw new Fault('unavailable', 'the keys were not given out');
      this.#find = createLocalJWKSet(JSON.parse(await bodyText(response)) as JSONWebKeySet);
      this.#fetchedAt = this.#clock.monotonic();
    } catch (error) {
      this.#log.warn('jwks_unavailable', {
        reason: reasonOf(error),
        keeps_last_set: this.#find !== undefined,
      });
    }
  }
}

async function bodyText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > bounds.auth.keysMaxBytes) throw new Fault('unexpected', 'the key set is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
