import { closeAction, retryFloorMs } from '@sanctum/protocol';
import { SanctumError } from '../sanctum-error.ts';
import type { LinkEnd } from './link.ts';

export type Next =
  | {
      readonly action: 'retry';
      readonly floorMs: number;
      /** The token is used up: a new one first. */
      readonly renew: boolean;
      readonly why: string;
    }
  | { readonly action: 'stop'; readonly error: SanctumError };

/** What to do after a connection has ended: the contract's table of close codes, and its hints. */
export function afterEnd(end: LinkEnd, { isRenewable }: { isRenewable: boolean }): Next {
  switch (end.kind) {
    case 'left':
      return stop('closed', 'the client was closed');
    case 'broken':
      return stop('protocol_broken', `the server broke the protocol: ${end.detail}`);
    case 'fault':
      return retry('a fault in delivery');
    case 'silent':
      return retry('silence');
    case 'closed':
      return afterClose(end, isRenewable);
  }
}

function afterClose({ code, hintMs }: LinkEnd & { kind: 'closed' }, isRenewable: boolean): Next {
  const why = `closed with ${code}`;
  const floorMs = Math.max(hintMs, retryFloorMs(code));
  const action = closeAction(code);
  if (action === 'retry' || (action === 'refresh_token' && isRenewable)) {
    return retry(why, { floorMs, renew: action === 'refresh_token' });
  }
  return stop(action === 'stop_bug' ? 'protocol_broken' : 'login_required', why);
}

export function retry(why: string, { floorMs = 0, renew = false } = {}): Next {
  return { action: 'retry', floorMs, renew, why };
}

function stop(code: 'closed' | 'protocol_broken' | 'login_required', message: string): Next {
  return { action: 'stop', error: new SanctumError(code, message) };
}
