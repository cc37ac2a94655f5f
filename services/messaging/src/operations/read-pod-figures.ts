import type { PodFigures, PodTotals } from './pod-figures.ts';

type Shape<T> = Readonly<Record<keyof T, (value: unknown) => boolean>>;

const isText = (value: unknown) => typeof value === 'string';
const isNumber = (value: unknown) => Number.isFinite(value);
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 1;
const isFlag = (value: unknown) => typeof value === 'boolean';
const areTexts = (value: unknown) => Array.isArray(value) && value.every(isText);
const areNumbers = (value: unknown) => Array.isArray(value) && value.every(isNumber);

const TOTALS: Shape<PodTotals> = {
  accepted: isNumber,
  intakeErrors: isNumber,
  dispatched: isNumber,
  rowsFailed: isNumber,
  dispatchErrors: isNumber,
  published: isNumber,
  consumed: isNumber,
  consumerErrors: isNumber,
  malformed: isNumber,
  slowPath: isNumber,
  missing: isNumber,
  frames: isNumber,
  slowClosed: isNumber,
  lag: areNumbers,
  endToEnd: areNumbers,
};

const RETENTION: Shape<NonNullable<PodFigures['retention']>> = { outboxDays: isCount, dlqDays: isCount };

const STREAM: Shape<NonNullable<PodFigures['stream']>> = {
  name: isText,
  partitions: isCount,
  maxLength: isCount,
  group: isText,
};

const FIGURES: Shape<PodFigures> = {
  v: (value) => value === 1,
  instance: isText,
  name: isText,
  version: isText,
  startedAt: isNumber,
  at: isNumber,
  epoch: isNumber,
  state: isText,
  reasons: areTexts,
  dispatcher: isFlag,
  consumer: isFlag,
  paused: areTexts,
  busHeard: isFlag,
  connections: isNumber,
  slowConnections: isNumber,
  conversations: isNumber,
  oldestUnreadSeconds: isNumber,
  pending: isNumber,
  retention: (value) => value === undefined || hasShape(value, RETENTION),
  stream: (value) => value === undefined || hasShape(value, STREAM),
  totals: (value) => hasShape(value, TOTALS),
};

/**
 * A pod's figures as they come back over the bus or out of a table; undefined: they are of another version, or of a
 * stranger, and are passed over.
 */
export function readPodFigures(value: unknown): PodFigures | undefined {
  return hasShape(value, FIGURES) ? (value as PodFigures) : undefined;
}

function hasShape<T>(value: unknown, shape: Shape<T>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries<(field: unknown) => boolean>(shape).every(([name, isRight]) =>
    isRight((value as Record<string, unknown>)[name]),
  );
}
