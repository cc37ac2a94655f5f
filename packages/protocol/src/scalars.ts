import { USER_ID_MAX_BYTES, EVENT_TYPE_MAX_BYTES } from './limits.ts';

/**
 * The scalars of HTTP and WebSocket alike. Every check takes `unknown`, narrows, and runs in time linear in
 * the text with no backtracking: the texts come from strangers.
 */

export const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const SCHEME_PATTERN = /^[a-z0-9._-]{1,32}$/;
export const KEY_ID_PATTERN = /^[A-Za-z0-9._:-]{1,64}$/;
/** A decimal integer with no sign, leading zero or exponent. Its size is not bounded here. */
export const CANONICAL_INTEGER_PATTERN = /^(?:0|[1-9][0-9]{0,15})$/;
export const TIME_PATTERN = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;
const CONTROL_OR_LONE_SURROGATE = /[\p{Cc}\p{Cs}]/u;

/** A UUID of any version: lower-case, 36 characters. */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID_PATTERN.test(value);
}

/** An integer from 0 to 2^53 − 1: a place in a conversation, a cursor, a version, an epoch. */
export function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** 1–255 bytes of well-formed text without control characters; compared by bytes. */
export function isUserId(value: unknown): value is string {
  return isPlainText(value, USER_ID_MAX_BYTES);
}

/** 1–100 bytes of well-formed text without control characters, as `MessageCreated`. */
export function isEventType(value: unknown): value is string {
  return isPlainText(value, EVENT_TYPE_MAX_BYTES);
}

/** The name of an encryption scheme. */
export function isScheme(value: unknown): value is string {
  return typeof value === 'string' && SCHEME_PATTERN.test(value);
}

/** The name of a key. */
export function isKeyId(value: unknown): value is string {
  return typeof value === 'string' && KEY_ID_PATTERN.test(value);
}

/** RFC 3339 in UTC with `Z` and three decimals, naming a moment that exists. */
export function isTime(value: unknown): value is string {
  if (typeof value !== 'string' || !TIME_PATTERN.test(value)) return false;
  const time = Date.parse(value);
  // Date.parse takes February 30 for March 1: only what prints as it was written exists.
  return !Number.isNaN(time) && new Date(time).toISOString() === value;
}

/**
 * A moment as RFC 3339 in UTC with three decimals.
 * @param time milliseconds since 1970, or a Date
 * @throws RangeError outside the years 0–9999
 */
export function formatTime(time: number | Date): string {
  const text = (typeof time === 'number' ? new Date(time) : time).toISOString();
  if (text.length !== 24) throw new RangeError('time outside the years 0–9999');
  return text;
}

/** The integer that a canonical decimal text names, or undefined: no sign, leading zero, space or exponent. */
export function parseSeqText(text: unknown): number | undefined {
  if (typeof text !== 'string' || !CANONICAL_INTEGER_PATTERN.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Length of a text in UTF-8, a lone surrogate counted as the three bytes of its replacement. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit >= 0xd800 && unit <= 0xdbff && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      bytes += 2; // four bytes for the two units of a pair
      i++;
    } else bytes += 2;
  }
  return bytes;
}

function isPlainText(value: unknown, maxBytes: number): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > maxBytes) return false;
  if (PRINTABLE_ASCII.test(value)) return true;
  return !CONTROL_OR_LONE_SURROGATE.test(value) && utf8Length(value) <= maxBytes;
}
