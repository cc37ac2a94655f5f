import { crc32 } from 'node:zlib';
import type { Write } from '../storage/buffered-transaction.ts';

/** The first line of every log. */
export const HEADER = '{"sanctum-storage":1}\n';

/** The writes of a transaction as JSON. A key alone is deleted. @throws TypeError for what is no JSON */
export function encodeWrites(writes: readonly Write[]): string {
  return JSON.stringify(writes.map(([key, value]) => (value === undefined ? [key] : [key, value])));
}

/**
 * Transactions that are written together, as one line: checksum, space, JSON. One line, since a power failure may
 * leave the end of what was being written without its beginning: that must not look like damage before the end.
 */
export function encodeRecord(transactions: readonly string[]): string {
  const json = `[${transactions
    .map((each) => each.slice(1, -1))
    .filter((each) => each !== '')
    .join(',')}]`;
  return `${checksum(json)} ${json}\n`;
}

export interface ReadLog {
  readonly stored: Map<string, unknown>;
  /** Bytes that are whole; what follows was torn by a crash. */
  readonly length: number;
}

/**
 * Reads a log. A last record that was torn while it was being written was never confirmed to anybody and is left
 * out.
 * @throws Error where it is no log, or is damaged before its end
 */
export function readLog(bytes: Buffer): ReadLog {
  const stored = new Map<string, unknown>();
  if (!bytes.subarray(0, HEADER.length).equals(Buffer.from(HEADER))) {
    throw new Error('this is no storage of @sanctum/client');
  }
  let at = HEADER.length;
  while (at < bytes.length) {
    const end = bytes.indexOf(0x0a, at);
    const writes = end < 0 ? undefined : decodeRecord(bytes.toString('utf8', at, end));
    if (writes === undefined) {
      if (end >= 0 && hasRecord(bytes, end + 1)) throw new Error(`the storage is damaged at byte ${at}`);
      break;
    }
    for (const [key, value] of writes) {
      if (value === undefined) stored.delete(key);
      else stored.set(key, value);
    }
    at = end + 1;
  }
  return { stored, length: at };
}

function hasRecord(bytes: Buffer, from: number): boolean {
  for (let at = from; at < bytes.length;) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) return false;
    if (decodeRecord(bytes.toString('utf8', at, end)) !== undefined) return true;
    at = end + 1;
  }
  return false;
}

function decodeRecord(line: string): Write[] | undefined {
  const json = line.slice(9);
  if (line[8] !== ' ' || checksum(json) !== line.slice(0, 8)) return undefined;
  return JSON.parse(json) as Write[];
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}
