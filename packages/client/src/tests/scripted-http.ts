import { problem, type ErrorCode } from '@sanctum/protocol';

export interface HttpCall {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly token: string;
  readonly body: Record<string, unknown>;
}

/** Calls of a client, answered by a test. */
export class ScriptedHttp {
  readonly calls: HttpCall[] = [];
  /** The answer to a call; undefined: the network fails. */
  answer: (call: HttpCall) => Response | undefined | Promise<Response | undefined> = () => undefined;

  readonly fetch: typeof fetch = async (input, init) => {
    const url = new URL(input as string);
    const headers = init?.headers as Record<string, string>;
    const call: HttpCall = {
      method: init?.method ?? 'GET',
      path: url.pathname + url.search,
      token: (headers['authorization'] ?? '').replace('Bearer ', ''),
      body: JSON.parse((init?.body as string | undefined) ?? '{}') as Record<string, unknown>,
    };
    this.calls.push(call);
    const response = await this.answer(call);
    if (response === undefined) throw new TypeError('fetch failed');
    return response;
  };
}

export function ok(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
}

export function refused(code: ErrorCode, retryAfterMs?: number): Response {
  const body = problem(code, retryAfterMs === undefined ? {} : { retryAfterMs });
  return new Response(JSON.stringify(body), { status: body.status });
}
