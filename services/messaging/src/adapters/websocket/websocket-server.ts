import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { CLIENT_FRAME_MAX_BYTES, CLOSE, SUBPROTOCOL } from '@sanctum/protocol';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { bearerToken } from '../http/token-verifier.ts';
import type { Hub } from '../../realtime/hub.ts';
import { checkUpgrade, refuseUpgrade, serveAsPlain } from './upgrade.ts';
import { WebSocketConnection } from './websocket-connection.ts';

/** Bounds of what a peer can make the library hold before a frame is whole. */
const FRAGMENTS_MAX = 64;
const BUFFERED_CHUNKS_MAX = 128;

/** An end that does not answer a close frame is cut then. */
const CLOSE_TIMEOUT_MS = 10_000;

/** What the library reports of a frame that it could not take, as a close code. */
const ERROR_CODES: Readonly<Record<string, number>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: CLOSE.too_big,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: CLOSE.too_big,
  WS_ERR_INVALID_UTF8: CLOSE.invalid_data,
};

/**
 * Serves `GET /ws` on the HTTP server: upgrades, then hands text frames to a session of the hub.
 * @returns what cuts every socket that is left. The server cannot, and does not end before them.
 */
export function serveWebSockets(options: {
  server: Server;
  hub: Hub;
  originAllowed: (origin: string | undefined, host: string | undefined) => boolean;
}): () => void {
  const { server, hub } = options;
  // The types do not know `closeTimeout` yet.
  const settings: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    perMessageDeflate: false,
    maxPayload: CLIENT_FRAME_MAX_BYTES,
    maxFragments: FRAGMENTS_MAX,
    maxBufferedChunks: BUFFERED_CHUNKS_MAX,
    handleProtocols: () => SUBPROTOCOL,
    closeTimeout: CLOSE_TIMEOUT_MS,
  };
  const webSocketServer = new WebSocketServer(settings);
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket')
      return serveAsPlain(server, request, socket, head);
    const refusal = checkUpgrade(request, { draining: hub.draining, originAllowed: options.originAllowed });
    if (refusal !== undefined) {
      hub.metrics.transportErrors.inc({ code: refusal.code });
      return refuseUpgrade(socket, refusal);
    }
    webSocketServer.handleUpgrade(request, socket, head, (webSocket) => {
      serve(hub, webSocket, socket, request.headers.authorization);
    });
  });
  return () => {
    for (const webSocket of webSocketServer.clients) webSocket.terminate();
  };
}

function serve(hub: Hub, webSocket: WebSocket, socket: Duplex, authorization: string | undefined): void {
  const connection = new WebSocketConnection({ id: randomUUID(), webSocket, socket });
  const session = hub.connect(connection, bearerToken(authorization));
  let failure: number | undefined;
  webSocket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) session.receiveBinary();
    else session.receive(data.toString());
  });
  webSocket.on('pong', () => session.heard());
  webSocket.on('ping', () => session.heard());
  webSocket.on('error', (error: Error & { code?: string }) => {
    failure =
      ERROR_CODES[error.code ?? ''] ?? (error.code?.startsWith('WS_ERR_') ? CLOSE.protocol_error : undefined);
  });
  webSocket.on('close', (code: number) => session.gone(failure ?? code));
  socket.on('drain', () => session.flush());
}
