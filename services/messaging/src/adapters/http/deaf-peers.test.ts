import { once } from 'node:events';
import { Agent, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { SUBPROTOCOL } from '@sanctum/protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { silentLog } from '../../log.ts';
import { eventually } from '../../tests/support/eventually.ts';
import { HttpClient } from '../../tests/support/http-client.ts';
import { type HttpFixture, startHttpFixture } from '../../tests/support/http-fixture.ts';
import { memoryHub } from '../../tests/support/memory-hub.ts';
import { mintToken } from '../../tests/support/tokens.ts';
import { serveWebSockets } from '../websocket/websocket-server.ts';
import { type AdminOperation, adminRouteList } from './admin/admin-operations.ts';
import type { AdminHandler } from './admin/admin-route.ts';
import { createAdminServer } from './admin/admin-server.ts';

const WRITE_STALL_MS = 200;

let http: HttpFixture;
let deafSockets: Socket[];

beforeEach(async () => {
  http = await startHttpFixture({ writeStallMs: WRITE_STALL_MS });
  deafSockets = [];
});
afterEach(async () => {
  for (const socket of deafSockets) socket.destroy();
  await http.close();
});

/** Asks this so many times, and reads nothing of what it is answered. */
async function deaf(server: Server, path: string, times: number, headers = ''): Promise<void> {
  const arrived = once(server, 'connection');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).pause();
  socket.on('error', () => {});
  deafSockets.push(socket);
  await arrived;
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`.repeat(times));
}

/** The other ends of the connections that are there. */
function portsAt(server: Server): Set<number> {
  const ports = new Set<number>();
  server.on('connection', (socket: Socket) => {
    const port = socket.remotePort!;
    ports.add(port);
    socket.on('close', () => ports.delete(port));
  });
  return ports;
}

// More than any socket buffer holds.
it.each([
  ['large answers', '/openapi.json', 1000],
  ['refusals', '/v1/conversations', 40_000],
])('who asks for %s and reads none is cut', async (_, path, times) => {
  const ports = portsAt(http.server);
  await deaf(http.server, path, times);
  expect(ports.size).toBe(1);
  await eventually(() => expect(ports.size).toBe(0));
});

it('so is who asks the admin server', async () => {
  const unused: AdminHandler = () => undefined;
  const handlers = Object.fromEntries(adminRouteList.map(({ operation }) => [operation, unused]));
  const admin = createAdminServer({
    log: silentLog,
    verifier: { verify: () => ({ ok: false, code: 'token_missing' }) },
    handlers: handlers as Record<AdminOperation, AdminHandler>,
    consoleFolder: new URL('no-such-folder/', import.meta.url),
    writeStallMs: WRITE_STALL_MS,
  });
  await admin.listen({ host: '127.0.0.1', port: 0 });
  const ports = portsAt(admin.server);
  await deaf(admin.server, '/', 40_000);
  expect(ports.size).toBe(1);
  await eventually(() => expect(ports.size).toBe(0));
  await admin.close();
});

it('and who is refused an upgrade and does not hang up', async () => {
  const { hub } = memoryHub();
  serveWebSockets({ server: http.server, hub, originAllowed: () => false });
  const ports = portsAt(http.server);
  await deaf(http.server, '/ws', 1, 'connection: upgrade\r\nupgrade: websocket\r\n');
  expect(ports.size).toBe(1);
  await eventually(() => expect(ports.size).toBe(0));
});

it('idle connections and WebSockets outlive that', async () => {
  const { hub } = memoryHub();
  const cutWebSockets = serveWebSockets({ server: http.server, hub, originAllowed: () => true });
  const ports = portsAt(http.server);

  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const client = new HttpClient(http.url, await mintToken({ sub: 'alice' }), agent);
  expect((await client.conversations()).status).toBe(200);
  const webSocket = new WebSocket(`ws://127.0.0.1:${http.port}/ws`, SUBPROTOCOL);
  await once(webSocket, 'open');
  const quiet = new Set(ports);
  expect(quiet.size).toBe(2);

  // By the time that these are gone, those have been still for longer.
  for (let n = 0; n < 2; n++) {
    await deaf(http.server, '/openapi.json', 1000);
    expect(ports.size).toBe(3);
    await eventually(() => expect(ports.size).toBe(2));
  }
  expect(ports).toEqual(quiet);
  expect((await client.conversations()).status).toBe(200);
  expect(ports).toEqual(quiet);
  const pong = once(webSocket, 'pong');
  webSocket.ping();
  await pong;

  client.close();
  cutWebSockets();
});
