import { z } from 'zod';
import { isCanonicalBase64 } from '../base64.ts';
import { ERROR_CODES, type ErrorCode } from '../errors.ts';
import {
  EVENT_TYPE_MAX_BYTES,
  PAGE_CURSOR_MAX_LENGTH,
  PAGE_LIMIT_DEFAULT,
  PAGE_LIMIT_MAX,
  REQUEST_ID_MAX_LENGTH,
  SEQ_MAX,
  USER_ID_MAX_BYTES,
} from '../limits.ts';
import {
  CANONICAL_INTEGER_PATTERN,
  isEventType,
  isTime,
  isUserId,
  KEY_ID_PATTERN,
  parseSeqText,
  SCHEME_PATTERN,
  TIME_PATTERN,
  UUID_PATTERN,
} from '../scalars.ts';

/**
 * The scalars as zod schemas. Where a wrong value has an error code of its own, that code is the issue's
 * message, and `problemOf` finds it there.
 */
const code = (name: ErrorCode): ErrorCode => name;

export const uuid = z.string().regex(UUID_PATTERN, { error: code('invalid_uuid') });

/** 0 … 2^53 − 1. */
export const seq = z.int().min(0).max(SEQ_MAX);
/** The place of a message that exists: from 1. */
export const messageSeq = z.int().min(1).max(SEQ_MAX);
export const durationMs = z.int().min(0).max(SEQ_MAX);

export const userId = z.string().refine(isUserId).meta({
  minLength: 1,
  maxLength: USER_ID_MAX_BYTES,
  description: '1–255 bytes of UTF-8 without control characters, compared by bytes',
});

/** An id that a peer chose for itself: the same rule as a user id. */
export const opaqueId = userId;

export const eventType = z
  .string()
  .refine(isEventType)
  .meta({ minLength: 1, maxLength: EVENT_TYPE_MAX_BYTES, examples: ['MessageCreated'] });

export const time = z
  .string()
  .refine(isTime)
  .meta({ format: 'date-time', pattern: TIME_PATTERN.source, description: 'RFC 3339, UTC, three decimals' });

export const scheme = z.string().regex(SCHEME_PATTERN);
export const keyId = z.string().regex(KEY_ID_PATTERN);

export const ciphertext = z
  .string()
  .refine((text) => text !== '' && isCanonicalBase64(text), { error: code('invalid_ciphertext') })
  .meta({
    contentEncoding: 'base64',
    minLength: 4,
    description: 'Padded, canonical base64 without white space, of at least one byte',
  });

export const requestId = z
  .union([z.string().min(1).max(REQUEST_ID_MAX_LENGTH), seq])
  .meta({ description: 'Chosen by the client, comes back in the answer' });

export const errorCode = z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]);

/** A canonical decimal text, as query strings and stream entries hold one, read as a number. */
export const seqText = z
  .string()
  .regex(CANONICAL_INTEGER_PATTERN)
  .transform((text, context) => {
    const value = parseSeqText(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: 'above 2^53 − 1' });
    return z.NEVER;
  })
  .meta({ description: 'A decimal integer, 0 … 2^53 − 1' });

/** In a query string a number is a text; the specification calls it the integer that it names. */
export const historyAfter = seqText.default(0).meta({
  parameter: { type: 'integer', minimum: 0, maximum: SEQ_MAX, default: 0 },
});

export const pageLimit = seqText
  .pipe(z.int().min(1).max(PAGE_LIMIT_MAX))
  .default(PAGE_LIMIT_DEFAULT)
  .meta({ parameter: { type: 'integer', minimum: 1, maximum: PAGE_LIMIT_MAX, default: PAGE_LIMIT_DEFAULT } });

export const pageCursor = z
  .string()
  .min(1)
  .max(PAGE_CURSOR_MAX_LENGTH)
  .meta({ description: 'Opaque: `next_cursor` of the page before' });
