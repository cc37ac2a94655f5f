import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../../../../', import.meta.url);
/** The sources that take part in a run. */
const PLAYED = [
  'packages/client/src',
  'packages/protocol/src',
  ...['intake', 'dispatcher', 'realtime', 'adapters/memory', 'tests/history', 'tests/simulation'].map(
    (folder) => `services/messaging/src/${folder}`,
  ),
];

/** A line of the report: seeds `from` to `to`, both included, all played by this code. */
export interface PlayedRange {
  readonly from: number;
  readonly to: number;
  readonly failed: readonly number[];
  readonly code: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly cpuMsPerSeed: number;
}

/** The NDJSON file in which finished ranges are kept, so that a run goes on where the last one was stopped. */
export class SimReport {
  readonly path: string;
  readonly #played: readonly PlayedRange[];

  /** Only what was played by `code` counts. */
  constructor(path: string, code: string) {
    this.path = path;
    const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
    this.#played = lines.flatMap(parse).filter((range) => range.code === code);
  }

  /** The range that holds this seed. */
  rangeOf(seed: number): PlayedRange | undefined {
    return this.#played.find(({ from, to }) => from <= seed && seed <= to);
  }

  /** Seeds that failed, of those between the two. */
  failed(from: number, to: number): number[] {
    return this.#played.flatMap((range) => range.failed.filter((seed) => from <= seed && seed <= to));
  }

  append(range: PlayedRange): void {
    mkdirSync(dirname(this.path), { recursive: true });
    appendFileSync(this.path, `${JSON.stringify(range)}\n`);
  }
}

/** What the seeds are played with, in one word. */
export function codeFingerprint(): string {
  const files = PLAYED.flatMap((part) => {
    const folder = fileURLToPath(new URL(part, ROOT));
    return readdirSync(folder, { recursive: true }).map((file) => join(folder, String(file)));
  });
  const hash = createHash('sha256');
  for (const file of files.toSorted()) {
    if (file.endsWith('.ts') && !file.endsWith('.test.ts')) hash.update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}

/** A line that was torn by a kill is passed over. */
function parse(line: string): PlayedRange[] {
  try {
    return [JSON.parse(line) as PlayedRange];
  } catch {
    return [];
  }
}
