import { fingerprintOf } from '../support/code-fingerprint.ts';
import { appendNdjson, readNdjson } from '../support/ndjson.ts';

/** The sources that take part in a run. */
const PLAYED = [
  ...['ack-counter', 'cursor-book', 'cursor-rule', 'overlap'].map((file) => `packages/client/src/${file}.ts`),
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
    this.#played = readNdjson<PlayedRange>(path).filter((range) => range.code === code);
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
    appendNdjson(this.path, range);
  }
}

/** What the seeds are played with, in one word. */
export function codeFingerprint(): string {
  return fingerprintOf(PLAYED);
}
