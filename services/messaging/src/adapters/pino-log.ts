import pino from 'pino';
import { bounds } from '../bounds.ts';
import type { Log, LogFields } from '../log.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * The service's log: one JSON object a line on standard output. What may get into a line is decided here, by
 * kind: short texts, numbers, booleans and lists of texts. Objects, errors, buffers and sealed payloads never do,
 * whatever their caller thought. (pino's own redaction goes by path, one level deep, and leaked.)
 */
export function createLog(
  level: LogLevel,
  options: { readonly pod: string; readonly destination?: { write(line: string): void } },
): Log {
  const logger = pino(
    {
      level,
      base: { pod: clip(options.pod) },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination ?? pino.destination({ fd: 1, sync: true }),
  );
  const write = (at: LogLevel) => (event: string, fields?: LogFields) => {
    if (logger.isLevelEnabled(at)) logger[at]({ event: clip(event), ...allowed(fields) });
  };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

const RESERVED = new Set(['time', 'level', 'event', 'pod']);

/** The fields that may be logged, clipped. What may not be stands as its kind, so that a mistake is seen. */
export function allowed(fields: LogFields | undefined): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries((fields ?? {}) as Record<string, unknown>)) {
    if (value === undefined || RESERVED.has(name)) continue;
    safe[name] = allowedValue(value);
  }
  return safe;
}

function allowedValue(value: unknown): unknown {
  if (typeof value === 'string') return clip(value);
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) {
    return value.slice(0, bounds.log.listMax).map(clip);
  }
  return `[not logged: ${value === null ? 'null' : typeof value}]`;
}

function clip(text: string): string {
  return text.length <= bounds.log.valueMaxChars ? text : `${text.slice(0, bounds.log.valueMaxChars)}…`;
}
