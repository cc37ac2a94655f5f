import { ConfigError } from '@sanctum/messaging/config';
import { CliError, EXIT_FAILED, EXIT_USAGE } from './cli-error.ts';
import { given, type Shell, type TextStream } from './shell.ts';

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

export type Style = keyof typeof STYLES;
/** Puts a text into a style, or leaves it as it is where there are no colours. */
export type Paint = (style: Style, text: string) => string;

/** Results go to standard output, as text or as one JSON value a line; everything else to standard error. */
export class Output {
  readonly isJson: boolean;
  readonly paint: Paint;
  readonly #shell: Shell;

  constructor(shell: Shell, options: { readonly json?: boolean | undefined }) {
    this.isJson = options.json === true;
    this.paint = paintFor(shell.stdout, shell.env);
    this.#shell = shell;
  }

  /** One result: `value` for programs, `text` for people. */
  result(value: object, text: string): void {
    this.#shell.stdout.write(`${this.isJson ? JSON.stringify(value) : text}\n`);
  }

  /** What a person may want to know beside the result. */
  note(text: string): void {
    this.#shell.stderr.write(`${paintFor(this.#shell.stderr, this.#shell.env)('dim', text)}\n`);
  }

  /** Says what was wrong and what to do next; returns the exit code. */
  failure(error: unknown): number {
    const { message, next, exitCode } = describe(error);
    if (this.isJson) {
      this.#shell.stderr.write(
        `${JSON.stringify({ error: { message, ...(next !== undefined && { next }) } })}\n`,
      );
      return exitCode;
    }
    const paint = paintFor(this.#shell.stderr, this.#shell.env);
    this.#shell.stderr.write(
      `${paint('red', 'error:')} ${message}\n${next === undefined ? '' : `${next}\n`}`,
    );
    return exitCode;
  }
}

/** Text of a stranger for a terminal: no escape sequence, no line break, of bounded length. */
export function printable(text: string, lengthMax = 255): string {
  const cut = text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

function paintFor(stream: TextStream, env: Shell['env']): Paint {
  const hasColours = stream.isTTY === true && given(env, 'NO_COLOR') === undefined && env['TERM'] !== 'dumb';
  return hasColours ? (style, text) => `\u001b[${STYLES[style]}m${text}\u001b[0m` : (_style, text) => text;
}

function describe(error: unknown): { message: string; next?: string | undefined; exitCode: number } {
  if (error instanceof CliError) return error;
  if (error instanceof ConfigError) return { message: `settings\n${error.message}`, exitCode: EXIT_USAGE };
  if (!(error instanceof Error)) return { message: String(error), exitCode: EXIT_FAILED };
  // A subclass that nobody expected is a bug of ours, and its place in the code is what helps.
  const isOurs = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return { message: isOurs ? (error.stack ?? error.message) : error.message, exitCode: EXIT_FAILED };
}
