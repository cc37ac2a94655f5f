import type { z } from 'zod';
import { base64ByteLength } from '../base64.ts';
import { isErrorCode, problem, type ErrorCode, type Problem } from '../errors.ts';
import { base64Length } from '../limits.ts';
import { postMessageBody, type PostMessageBody } from './http.ts';

/** What became of something a peer sent: the value, or the problem to answer with. */
export type Checked<T> = { ok: true; value: T } | { ok: false; problem: Problem };

/** An issue as zod reports it, as far as it is read here. */
interface Issue {
  readonly code?: string | undefined;
  readonly message: string;
  readonly path: readonly PropertyKey[];
}

/**
 * The problem of a failed validation. An unknown field comes before a wrong one: the body is of another
 * version then, and its other faults follow from that. Otherwise the first issue decides; its message is a
 * code where its schema has one of its own, else `fallback` stands.
 *
 * `detail` names the field by the schema's own words: nothing of what was sent gets into it.
 */
export function problemOf(
  error: { readonly issues: readonly Issue[] },
  fallback: ErrorCode = 'invalid_body',
): Problem {
  const unknown = error.issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown) return problem('unknown_field', { detail: inside(unknown.path, 'there is an unknown field') });
  const first = error.issues[0];
  const code = first && isErrorCode(first.message) ? first.message : fallback;
  return problem(code, { detail: describeIssue(first) });
}

/** Checks a value against a schema; `fallback` is the code where the schema names none. */
export function check<S extends z.ZodType>(
  schema: S,
  value: unknown,
  fallback: ErrorCode = 'invalid_body',
): Checked<z.output<S>> {
  const result = schema.safeParse(value);
  return result.success
    ? { ok: true, value: result.data }
    : { ok: false, problem: problemOf(result.error, fallback) };
}

/** Checks the parameters of an address: path or query. */
export function checkParameters<S extends z.ZodType>(schema: S, value: unknown): Checked<z.output<S>> {
  return check(schema, value, 'invalid_parameter');
}

/**
 * Checks the body of a POSTed message. `payloadMaxBytes` bounds the decoded ciphertext; a text too long for
 * it is refused by its length, before anything reads it.
 */
export function parsePostMessage(body: unknown, payloadMaxBytes: number): Checked<PostMessageBody> {
  const ciphertext = (body as { ciphertext?: unknown } | null | undefined)?.ciphertext;
  if (typeof ciphertext === 'string' && ciphertext.length > base64Length(payloadMaxBytes)) {
    return { ok: false, problem: problem('payload_too_large') };
  }
  const checked = check(postMessageBody, body);
  if (checked.ok && base64ByteLength(checked.value.ciphertext) > payloadMaxBytes) {
    return { ok: false, problem: problem('payload_too_large') };
  }
  return checked;
}

/** One issue in words of ours: where, and what was expected there. */
export function describeIssue(issue: Issue | undefined): string {
  if (!issue) return 'it has a wrong value';
  const isOurs = issue.code === 'custom' && issue.message !== 'Invalid input' && !isErrorCode(issue.message);
  return inside(issue.path, isOurs ? issue.message : 'the value is missing or wrong');
}

function inside(path: readonly PropertyKey[], text: string): string {
  return path.length === 0 ? text : `${path.map(String).join('.')}: ${text}`;
}
