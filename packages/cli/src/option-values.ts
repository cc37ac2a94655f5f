import { isKeyId, isScheme, isUserId, isUuid, parseSeqText } from '@sanctum/protocol';
import { InvalidArgumentError, Option } from 'commander';

/** Readers of option values for commander: the value as the program wants it, or what is allowed. */

const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION_MAX_MS = 366 * UNITS_MS.d;
const COUNT_MAX = 1_000_000_000;

/** Where the service is by its own defaults. */
export const DEFAULT_URL = 'http://127.0.0.1:8083';

export function uuidValue(text: string): string {
  if (isUuid(text)) return text;
  throw new InvalidArgumentError('It must be a UUID in lower case.');
}

export function userIdValue(text: string): string {
  if (isUserId(text)) return text;
  throw new InvalidArgumentError('It must be 1–255 bytes without control characters.');
}

/** For an option that may be given several times. */
export function userIdsValue(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), userIdValue(text)];
}

export function schemeValue(text: string): string {
  if (isScheme(text)) return text;
  throw new InvalidArgumentError('It must be 1–32 of a–z, 0–9, ".", "_", "-".');
}

export function keyIdValue(text: string): string {
  if (isKeyId(text)) return text;
  throw new InvalidArgumentError('It must be 1–64 of A–Z, a–z, 0–9, ".", "_", ":", "-".');
}

/** The address of the service, without a slash at its end. */
export function urlValue(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url === undefined || !isHttp || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new InvalidArgumentError(`It must be an address such as ${DEFAULT_URL}.`);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** `--url`, for every command that talks to the service; left out, `serviceUrl` finds it. */
export function urlOption(): Option {
  return new Option(
    '--url <url>',
    `where the service is (default: where \`npm start\` runs it here, else ${DEFAULT_URL})`,
  )
    .argParser(urlValue)
    .env('SANCTUM_URL');
}

/** Why something is done, for the record. */
export function reasonValue(text: string): string {
  const reason = text.trim();
  if (/^[^\p{Cc}]{1,500}$/u.test(reason)) return reason;
  throw new InvalidArgumentError('It must be 1–500 characters on one line.');
}

/** A duration as `30s`, `15m`, `1h` or `7d`, in milliseconds. */
export function durationValue(text: string): number {
  const [, count, unit] = /^([1-9][0-9]{0,8})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
  if (ms <= DURATION_MAX_MS) return ms;
  throw new InvalidArgumentError('It must be a duration such as 30s, 15m, 1h or 7d, at most 366d.');
}

export type After = number | 'start' | 'head';

export function afterValue(text: string): After {
  if (text === 'start' || text === 'head') return text;
  const seq = parseSeqText(text);
  if (seq !== undefined) return seq;
  throw new InvalidArgumentError('It must be start, head, or a seq.');
}

export function countValue(text: string): number {
  const count = parseSeqText(text);
  if (count !== undefined && count >= 1 && count <= COUNT_MAX) return count;
  throw new InvalidArgumentError('It must be a number from 1.');
}
