import { connect, type Client, type SanctumError, type Storage } from '@sanctum/client';
import type { ConversationKeys } from '@sanctum/client/webcrypto';
import type { Clock } from '@sanctum/messaging/clock';
import { WebSocket } from 'ws';
import { CliError, NEW_TOKEN } from '../cli-error.ts';
import type { After } from '../option-values.ts';
import type { TokenSource } from '../tokens.ts';
import { SizingCipher } from './sizing-cipher.ts';
import { gapEvent, memberEvent, messageEvent, type TailEvent } from './tail-event.ts';

/** One conversation, or all of the user's. Without `after`: where the storage ends, else at the head. */
export type Target =
  | { readonly kind: 'conversation'; readonly conversationId: string; readonly after?: After | undefined }
  | { readonly kind: 'all'; readonly after?: 'start' | 'head' | undefined };

export interface FollowOptions {
  /** As `http://127.0.0.1:8083`. */
  readonly url: string;
  readonly tokens: TokenSource;
  readonly target: Target;
  /** Without them nothing is decrypted. */
  readonly keys: ConversationKeys | undefined;
  readonly storage: Storage;
  readonly clock: Clock;
  /** What it throws on is not taken, and comes again. */
  readonly onEvent: (event: TailEvent) => void;
  readonly note: (text: string) => void;
}

const REPORT = 'This is a bug of the service or of this command: please report it.';
/** The clock's timers let a process end; one that waits to connect again must not. */
const HELD_MS = 3_600_000;

/** Follows conversations as any client does, until the signal is aborted. @throws CliError where that is for good */
export async function follow(options: FollowOptions, signal: AbortSignal): Promise<void> {
  const { url, tokens, target, storage, keys, clock, onEvent, note } = options;
  const userId = tokens.userId();
  const cipher = new SizingCipher(keys, storage);
  const client = await connect({
    url,
    userId,
    token: tokens.isRenewable ? () => tokens.next() : await tokens.next(),
    cipher,
    storage,
    subscribe: target.kind === 'all' ? 'all' : 'none',
    ...(target.kind === 'all' && target.after !== undefined && { begin: target.after }),
    clock,
    WebSocket,
  });
  const held = setInterval(() => undefined, HELD_MS);
  const over = new Promise<CliError | undefined>((stop) => {
    signal.addEventListener('abort', () => stop(undefined), { once: true });
    client.on('gap', (gap) => onEvent(gapEvent(gap)));
    client.on('reset', ({ conversationId }) => onEvent({ type: 'reset', conversation_id: conversationId }));
    client.on('member', (change) => {
      onEvent(memberEvent(change, userId));
      const isLast = target.kind === 'conversation' && change.change === 'removed';
      if (isLast) stop(new CliError('you were removed from this conversation: nothing more will come'));
    });
    client.on('refused', ({ conversationId, code }) => {
      if (target.kind === 'conversation') stop(refusal(code));
      else onEvent({ type: 'refused', conversation_id: conversationId, code });
    });
    noteStatus(client, { url, note, stop });
    client.on('error', ({ message, cause }) => {
      if (!signal.aborted) note(cause instanceof Error ? `${message}: ${cause.message}` : message);
    });
    // The last: it opens the connection.
    client.on('message', (message) => onEvent(messageEvent(message, cipher.takeSize(message.messageId))));
    if (target.kind !== 'conversation') return;
    const { conversationId, after } = target;
    client
      .subscribe(conversationId, after === undefined ? {} : { after })
      .catch(({ code }: SanctumError) => code !== 'closed' && stop(refusal(code)));
  });
  try {
    const error = await over;
    if (error !== undefined) throw error;
  } finally {
    clearInterval(held);
    await client.close();
  }
}

function noteStatus(
  client: Client,
  { url, note, stop }: { url: string; note: (text: string) => void; stop: (error: CliError) => void },
): void {
  let wasOnline = false;
  client.on('status', (status) => {
    switch (status.state) {
      case 'online':
        if (!status.caughtUp) note(wasOnline ? 'connected again' : `connected to ${url} as ${client.userId}`);
        wasOnline = true;
        return;
      case 'waiting':
        return note(`${status.why}; connecting again in ${Math.round(status.retryInMs)} ms`);
      case 'stopped': {
        const { code, message } = status.error;
        return stop(new CliError(message, code === 'login_required' ? NEW_TOKEN : REPORT));
      }
      case 'idle':
      case 'connecting':
        return;
    }
  });
}

function refusal(code: string): CliError {
  if (code === 'conversation_not_found') {
    return new CliError(
      'there is no such conversation, or this user is not a member of it',
      'Whoever follows must be a member, or have a token with the scope messaging:operate.',
    );
  }
  if (code === 'cursor_ahead') {
    return new CliError(
      'the conversation does not reach that seq yet',
      'Begin earlier: --after head, or start.',
    );
  }
  return new CliError(`the server does not serve this conversation (${code})`);
}
