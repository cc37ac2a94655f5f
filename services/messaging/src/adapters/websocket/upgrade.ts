import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ErrorCode, problem, PROBLEM_MEDIA_TYPE, SUBPROTOCOL } from '@sanctum/protocol';

const PATH = '/ws';
const RETRY_AFTER_SECONDS = 2;

export interface Refusal {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** Why an upgrade is refused over HTTP; undefined: it is not. Tokens are judged later, by close codes. */
export function checkUpgrade(
  request: IncomingMessage,
  options: {
    readonly draining: boolean;
    readonly originAllowed: (origin: string | undefined, host: string | undefined) => boolean;
  },
): Refusal | undefined {
  const path = (request.url ?? '').split('?', 1)[0];
  if (path !== PATH) return { code: 'not_found', detail: `WebSockets are served at ${PATH}.` };
  if (options.draining) return { code: 'unavailable', detail: 'This pod is shutting down.' };
  if (!options.originAllowed(request.headers.origin, request.headers.host)) {
    return {
      code: 'origin_denied',
      detail: 'Pages of this origin may not connect: WEBSOCKET_ALLOWED_ORIGINS.',
    };
  }
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  if (!offered.includes(SUBPROTOCOL)) {
    return { code: 'subprotocol_required', detail: `Offer the subprotocol ${SUBPROTOCOL}.` };
  }
  return undefined;
}

/** Answers with problem details and ends the socket. */
export function refuseUpgrade(socket: Duplex, refusal: Refusal): void {
  const retry = refusal.code === 'unavailable' ? { retryAfterMs: RETRY_AFTER_SECONDS * 1000 } : {};
  const answer = problem(refusal.code, { detail: refusal.detail, ...retry });
  const body = JSON.stringify(answer);
  const lines = [
    `HTTP/1.1 ${answer.status} ${answer.title}`,
    'Connection: close',
    `Content-Type: ${PROBLEM_MEDIA_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(refusal.code === 'unavailable' ? [`Retry-After: ${RETRY_AFTER_SECONDS}`] : []),
  ];
  socket.on('error', () => {});
  // Node's own listener went with the upgrade: who neither reads nor hangs up would stay.
  socket.on('timeout', () => socket.destroy());
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

/** Headers that speak of the upgrade alone. */
const UPGRADE_HEADERS: ReadonlySet<string> = new Set(['upgrade', 'connection', 'http2-settings']);

/**
 * An upgrade to anything but WebSocket (`h2c`, which some HTTP clients offer with every request) is an offer that a
 * server may pass over (RFC 9110 §7.8). Node hands all of them to the `upgrade` listener, unread: so the request is
 * put back without the offer, and parsed as any other.
 */
export function serveAsPlain(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i]!;
    if (!UPGRADE_HEADERS.has(name.toLowerCase())) lines.push(`${name}: ${request.rawHeaders[i + 1]}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}
