import { closeAction, closeCode, closeMeaning, type ErrorCode, retryFloorMs } from '@sanctum/protocol';
import { CliError, nothingAnswers } from '../cli-error.ts';

/** How a connection ended. */
export type LinkEnd =
  | { readonly kind: 'closed'; readonly code: number; readonly hintMs?: number | undefined }
  /** The upgrade was answered over HTTP. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly code?: ErrorCode | undefined;
      readonly hintMs?: number | undefined;
    }
  | { readonly kind: 'unreachable' }
  /** Nothing was heard for too long. */
  | { readonly kind: 'silent' }
  /** The server broke the rules of the subprotocol. */
  | { readonly kind: 'fault'; readonly detail: string }
  /** The server broke the rules of WebSockets or JSON: the same would come again. */
  | { readonly kind: 'broken'; readonly detail: string }
  /** This client is done with it; an error where that is for ever. */
  | { readonly kind: 'left'; readonly error?: CliError };

export type Next =
  | { readonly action: 'retry'; readonly floorMs: number; readonly why: string }
  | { readonly action: 'stop'; readonly error: CliError };

const NEW_TOKEN = 'Get a new token: `sanctum token --sub <user>`, or use --as <user>.';
const REPORT = 'This is a bug of the service or of this command: please report it.';

/** What to do after a connection has ended: close codes and hints are obeyed. */
export function afterEnd(
  end: LinkEnd,
  { url, wasConnected, isRenewable }: { url: string; wasConnected: boolean; isRenewable: boolean },
): Next {
  switch (end.kind) {
    case 'left':
      return stop(end.error ?? new CliError('the connection was given up'));
    case 'broken':
      return stop(new CliError(`the server broke the protocol: ${end.detail}`, REPORT));
    case 'fault':
      return { action: 'retry', floorMs: 0, why: `the server broke the rules: ${end.detail}` };
    case 'silent':
      return { action: 'retry', floorMs: 0, why: 'nothing was heard from the server' };
    case 'unreachable':
      if (!wasConnected) return stop(nothingAnswers(url));
      return { action: 'retry', floorMs: 0, why: `nothing answers at ${url}` };
    case 'refused':
      return afterRefusal(end, { url, isRenewable });
    case 'closed':
      return afterClose(end, { isRenewable });
  }
}

function afterClose(end: LinkEnd & { kind: 'closed' }, { isRenewable }: { isRenewable: boolean }): Next {
  const { code, hintMs = 0 } = end;
  const name = closeCode(code)?.name ?? 'unknown';
  const why = `${code} ${name}: ${closeMeaning(code)}`;
  const retry: Next = { action: 'retry', floorMs: Math.max(hintMs, retryFloorMs(code)), why };
  switch (closeAction(code)) {
    case 'retry':
      return retry;
    case 'refresh_token':
      return isRenewable ? retry : stop(new CliError(`the server closed the connection (${why})`, NEW_TOKEN));
    case 'stop_login':
      return stop(new CliError(`the server closed the connection (${why})`, NEW_TOKEN));
    case 'stop_bug':
      return stop(new CliError(`the server closed the connection (${why})`, REPORT));
  }
}

function afterRefusal(
  { status, code, hintMs = 0 }: LinkEnd & { kind: 'refused' },
  { url, isRenewable }: { url: string; isRenewable: boolean },
): Next {
  const why = `the server refused the connection (${status}${code === undefined ? '' : ` ${code}`})`;
  if (status === 429 || status >= 500 || (code === 'token_expired' && isRenewable)) {
    return { action: 'retry', floorMs: hintMs, why };
  }
  if (status === 401 || status === 403) return stop(new CliError(why, NEW_TOKEN));
  return stop(
    new CliError(
      `what answers at ${url} is not the messaging service (status ${status})`,
      'Say where it is with --url.',
    ),
  );
}

function stop(error: CliError): Next {
  return { action: 'stop', error };
}
