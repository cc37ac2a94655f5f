import type { Log, LogFields } from '../../log.ts';

export interface LogLine {
  readonly level: keyof Log;
  readonly event: string;
  readonly fields: LogFields | undefined;
}

/** A log that tests read. */
export class RecordedLog implements Log {
  readonly lines: LogLine[] = [];

  debug(event: string, fields?: LogFields): void {
    this.lines.push({ level: 'debug', event, fields });
  }

  info(event: string, fields?: LogFields): void {
    this.lines.push({ level: 'info', event, fields });
  }

  warn(event: string, fields?: LogFields): void {
    this.lines.push({ level: 'warn', event, fields });
  }

  error(event: string, fields?: LogFields): void {
    this.lines.push({ level: 'error', event, fields });
  }

  named(event: string): LogLine[] {
    return this.lines.filter((line) => line.event === event);
  }
}
