import { hash } from 'node:crypto';

const HASH_HEX_DIGITS = 16;

/**
 * The SHA-256 of a payload, cut to 16 hex digits: of `{ciphertext, encryption?, sender}` as the publisher knows it
 * before it is sent, as a `message` frame holds it, and as the row does. `jsonb` orders keys in its own way, so
 * they are sorted first.
 */
export function payloadHash(payload: unknown): string {
  return hash('sha256', canonicalJson(payload), 'hex').slice(0, HASH_HEX_DIGITS);
}

function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join(',')}}`;
}
