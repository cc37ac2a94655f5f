/** What one check found; with what to do about it where anything is wrong. */
export interface Finding {
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'problem';
  readonly message: string;
  readonly remedy?: string;
}

export function ok(check: string, message: string): Finding {
  return { check, level: 'ok', message };
}

export function warning(check: string, message: string, remedy: string): Finding {
  return { check, level: 'warning', message, remedy };
}

export function problem(check: string, message: string, remedy: string): Finding {
  return { check, level: 'problem', message, remedy };
}
