import { parseSeqText } from '@sanctum/protocol';
import { ProblemError } from '../problems.ts';

/** A cursor of a listing that goes by a number, from the highest down. */
export function encodePlace(place: number): string {
  return Buffer.from(String(place)).toString('base64url');
}

/** Where the page begins; without a cursor, above everything. @throws ProblemError invalid_parameter */
export function decodePlace(cursor: string | undefined): number {
  if (cursor === undefined) return Number.MAX_SAFE_INTEGER;
  const place = parseSeqText(Buffer.from(cursor, 'base64url').toString());
  if (place === undefined) throw new ProblemError('invalid_parameter');
  return place;
}
