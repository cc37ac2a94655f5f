import { closeSync, openSync, readSync } from 'node:fs';
import { decodeEvent } from './history-codec.ts';
import type { HistoryEvent } from './history.ts';

const CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/** The events of one or more files, by their times; each file is read as far as it is needed. */
export function* readHistory(paths: readonly string[]): Generator<HistoryEvent> {
  if (paths.length === 1) return yield* readFile(paths[0]!);
  const sources = paths.map((path) => readFile(path));
  const heads = sources.map((source) => source.next());
  for (;;) {
    // A run has a handful of processes: looking at all of them costs less than a heap.
    let first = -1;
    for (const [n, head] of heads.entries()) {
      if (head.done !== true && (first < 0 || head.value.at < heads[first]!.value!.at)) first = n;
    }
    if (first < 0) return;
    yield heads[first]!.value!;
    heads[first] = sources[first]!.next();
  }
}

/** @throws SyntaxError at a line that is no event, unless it is the last one, torn by a kill */
function* readFile(path: string): Generator<HistoryEvent> {
  let number = 0;
  for (const { line, isWhole } of readLines(path)) {
    number += 1;
    let event: HistoryEvent;
    try {
      event = decodeEvent(line);
    } catch (error) {
      if (!isWhole) return;
      throw new SyntaxError(`${path}:${number}: ${(error as Error).message}`, { cause: error });
    }
    yield event;
  }
}

function* readLines(path: string): Generator<{ readonly line: string; readonly isWhole: boolean }> {
  const file = openSync(path, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const size = readSync(file, chunk, 0, CHUNK_BYTES, null);
      if (size === 0) break;
      const bytes = Buffer.concat([rest, chunk.subarray(0, size)]);
      const end = bytes.lastIndexOf(NEWLINE);
      rest = bytes.subarray(end + 1);
      if (end < 0) continue;
      for (const line of bytes.toString('utf8', 0, end).split('\n')) yield { line, isWhole: true };
    }
    if (rest.length > 0) yield { line: rest.toString(), isWhole: false };
  } finally {
    closeSync(file);
  }
}
