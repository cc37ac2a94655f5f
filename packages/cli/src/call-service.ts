import { isErrorCode, type Problem } from '@sanctum/protocol';
import { fullJitterMs } from './backoff.ts';
import { CliError, errorCodeOf, isUnreachable, NEW_TOKEN, nothingAnswers } from './cli-error.ts';
import { printable } from './output.ts';
import type { Shell } from './shell.ts';

export const ATTEMPTS_MAX = 8;
/** A service that asks for a longer pause is not waited for. */
const PAUSE_FLOOR_MAX_MS = 60_000;
const BACKOFF = { baseMs: 200, capMs: 10_000 } as const;
const ANSWER_TIMEOUT_MS = 30_000;
const ANSWER_MAX_BYTES = 1024 * 1024;
const LOST: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

export interface ServiceCall {
  /** As `http://127.0.0.1:8083`. */
  readonly url: string;
  readonly path: string;
  readonly token: string;
  /** `POST` unless given. */
  readonly method?: 'GET' | 'POST';
  /** Sent as JSON. Sending it again must do no harm. */
  readonly body?: object;
  /** What to do when it was given up, and may or may not have been done. */
  readonly again?: string | undefined;
}

export interface ServiceAnswer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

type Attempt =
  | { readonly kind: 'answer'; readonly response: Response; readonly text: string }
  | { readonly kind: 'lost' }
  | { readonly kind: 'unreachable' };

/**
 * One call of the HTTP interface. A service that is busy, or a connection that is lost on the way, is tried again
 * up to `ATTEMPTS_MAX` times, with full jitter above the pause that the service asks for.
 */
export async function callService<T>(
  call: ServiceCall,
  { clock, note }: { readonly clock: Shell['clock']; readonly note: (text: string) => void },
): Promise<ServiceAnswer<T>> {
  for (let attempt = 1; ; attempt++) {
    const result = await tryOnce(call);
    if (result.kind === 'unreachable' && attempt === 1) throw nothingAnswers(call.url);
    if (result.kind === 'answer' && !isBusy(result.response.status)) return read<T>(result, call.url);
    const floorMs = result.kind === 'answer' ? pauseOf(result) : 0;
    const why =
      result.kind === 'answer'
        ? `the service is busy (${result.response.status})`
        : 'the connection was lost';
    const again = call.again ?? 'Try again later.';
    if (attempt === ATTEMPTS_MAX) throw new CliError(`${why}, ${ATTEMPTS_MAX} times in a row`, again);
    if (floorMs > PAUSE_FLOOR_MAX_MS) {
      throw new CliError(`${why}, and asks for a pause of ${Math.round(floorMs / 1000)} s`, again);
    }
    const delayMs = fullJitterMs(clock, { ...BACKOFF, failures: attempt - 1, floorMs });
    note(`${why}; trying again in ${delayMs} ms (${attempt + 1} of ${ATTEMPTS_MAX})`);
    await clock.sleep(delayMs);
  }
}

async function tryOnce({ url, path, token, method = 'POST', body }: ServiceCall): Promise<Attempt> {
  try {
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    return { kind: 'answer', response, text: await boundedText(response) };
  } catch (error) {
    if (error instanceof CliError) throw error;
    if (isUnreachable(error)) return { kind: 'unreachable' };
    if (isLost(error)) return { kind: 'lost' };
    const { message } =
      error instanceof Error && error.cause instanceof Error ? error.cause : (error as Error);
    throw new CliError(`the call to ${url} failed: ${message}`);
  }
}

/** The connection ended, or nothing came in time: the call may or may not have been acted on. */
function isLost(error: unknown): boolean {
  if (error instanceof Error && error.name === 'TimeoutError') return true;
  return LOST.has(errorCodeOf(error) ?? '');
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_MAX_BYTES) throw notTheService(response.url, response.status);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function read<T>({ response, text }: Attempt & { kind: 'answer' }, url: string): ServiceAnswer<T> {
  const body = parsed(text);
  if (response.ok && body !== undefined)
    return { status: response.status, headers: response.headers, body: body as T };
  if (response.ok || !isProblem(body)) throw notTheService(url, response.status);
  const detail = body.detail === undefined ? '' : `: ${printable(body.detail)}`;
  throw new CliError(
    `${printable(body.title)}${detail} (${response.status} ${body.code})`,
    nextFor(body.code),
  );
}

function isBusy(status: number): boolean {
  return status === 429 || status === 503;
}

/** The pause that was asked for, in milliseconds; a proxy knows only `Retry-After`. */
function pauseOf({ response, text }: Attempt & { kind: 'answer' }): number {
  const { retry_after_ms: hint }: { retry_after_ms?: unknown } = parsed(text) ?? {};
  if (typeof hint === 'number' && hint >= 0) return hint;
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  return seconds > 0 ? seconds * 1000 : 0;
}

function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function isProblem(body: object | undefined): body is Problem {
  const { title, code } = (body ?? {}) as { title?: unknown; code?: unknown };
  return typeof title === 'string' && isErrorCode(code);
}

function notTheService(url: string, status: number): CliError {
  return new CliError(
    `what answers at ${url} is not the messaging service (status ${status})`,
    'Say where the service is with --url.',
  );
}

function nextFor(code: Problem['code']): string | undefined {
  switch (code) {
    case 'token_missing':
    case 'token_invalid':
    case 'token_expired':
    case 'revoked':
      return NEW_TOKEN;
    case 'conversation_not_found':
      return 'Only members may send; --create makes a conversation, and its owner adds members.';
    case 'conversation_exists':
      return 'Leave out --create to send to it.';
    case 'message_id_reused':
      return 'Leave out --message-id to send a new message.';
    default:
      return undefined;
  }
}
