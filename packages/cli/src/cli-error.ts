export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** A failure that its reader can do something about: what was wrong, and what to do next. */
export class CliError extends Error {
  override readonly name: string = 'CliError';
  readonly exitCode: number = EXIT_FAILED;
  /** What to do next, in one sentence or command. */
  readonly next: string | undefined;

  constructor(message: string, next?: string) {
    super(message);
    this.next = next;
  }
}

/** The command was typed in a way that cannot be meant. */
export class UsageError extends CliError {
  override readonly name = 'UsageError';
  override readonly exitCode = EXIT_USAGE;
}

/** What to do about a token that is not taken. */
export const NEW_TOKEN =
  'Get a new token: `sanctum token --sub <user>`, or --as <user>, with the settings of the service.';

/** Nobody listens where the service should be. */
export function nothingAnswers(url: string): CliError {
  return new CliError(
    `nothing answers at ${url}: is \`npm start\` running?`,
    'Start it, or say where the service is with --url.',
  );
}

const UNREACHABLE: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Whether no connection could be made at all, so that nothing was said to anybody. */
export function isUnreachable(error: unknown): boolean {
  return UNREACHABLE.has(errorCodeOf(error));
}

/** The system's code of an error or of what caused it. */
export function errorCodeOf(error: unknown): string | undefined {
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    const { code } = one as { code?: unknown };
    if (typeof code === 'string') return code;
  }
  return undefined;
}
