import {
  CREDIT_DEFAULT,
  encodeMessageFrame,
  formatTime,
  type ClientFrame,
  type ServerFrame,
} from '@sanctum/protocol';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { TestClient } from './test-client.ts';
import type { TestClientOptions } from './test-client-options.ts';

const A = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
const NOW = formatTime(0);

/** The other side, which does what each test wants. */
class Peer {
  readonly server: Server;
  readonly frames: ClientFrame[] = [];
  readonly closes: number[] = [];
  request: IncomingMessage | undefined;
  socket: WebSocket | undefined;
  credit: number = CREDIT_DEFAULT;
  onFrame: (frame: ClientFrame) => void = () => undefined;

  constructor() {
    const sockets = new WebSocketServer({ noServer: true });
    this.server = createServer();
    this.server.on('upgrade', (request, raw, head) => {
      sockets.handleUpgrade(request, raw, head, (socket) => {
        this.request = request;
        this.socket = socket;
        socket.on('message', (data: Buffer) => this.#take(JSON.parse(data.toString()) as ClientFrame));
        socket.on('close', (code) => this.closes.push(code));
      });
    });
  }

  send(...frames: ServerFrame[]): void {
    for (const frame of frames) this.socket?.send(JSON.stringify(frame));
  }

  messages(...seqs: number[]): void {
    for (const seq of seqs) this.socket?.send(messageText(seq));
  }

  #take(frame: ClientFrame): void {
    this.frames.push(frame);
    if (frame.type === 'hello') {
      this.send({
        type: 'ready',
        connection_id: 'c1',
        user_id: 'u',
        epoch: 1,
        features: [],
        heartbeat_ms: 30_000,
        credit: this.credit,
        max_frame_bytes: 65_536,
        payload_max_bytes: 65_536,
        expires_at: NOW,
        server_time: NOW,
      });
    }
    this.onFrame(frame);
  }
}

const messageText = (seq: number, replay = 0): string =>
  encodeMessageFrame({
    conversationId: A,
    seq,
    messageId: `00000000-0000-0000-0000-${String(seq).padStart(12, '0')}`,
    eventType: 'MessageCreated',
    occurredAt: NOW,
    membersVersion: 1,
    payloadJson: '{}',
    replay,
  });
const seatedAt = (after: number): ServerFrame => ({
  type: 'subscribed',
  conversations: [{ conversation_id: A, status: 'ok', after, head: after, min: 1 }],
});

let peer: Peer;
let url: string;
const clients: TestClient[] = [];

beforeEach(async () => {
  peer = new Peer();
  peer.server.listen(0, '127.0.0.1');
  await once(peer.server, 'listening');
  url = `ws://127.0.0.1:${(peer.server.address() as AddressInfo).port}/ws`;
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  peer.server.closeAllConnections();
  peer.server.close();
});

async function connect(options: Partial<TestClientOptions> = {}): Promise<TestClient> {
  const client = await TestClient.connect({ url, token: 't', ...options });
  clients.push(client);
  return client;
}

/** Resolves with the first frame of a type that the peer gets from now on. */
function nextFrame<T extends ClientFrame['type']>(type: T): Promise<ClientFrame & { type: T }> {
  return new Promise((resolve) => {
    peer.onFrame = (frame) => {
      if (frame.type === type) resolve(frame as ClientFrame & { type: T });
    };
  });
}

test('the token goes into the upgrade, or into hello, never into both', async () => {
  await connect();
  expect(peer.request?.headers.authorization).toBe('Bearer t');
  expect(peer.frames[0]).toEqual({ type: 'hello' });
  await connect({ tokenIn: 'hello' });
  expect(peer.request?.headers.authorization).toBeUndefined();
  expect(peer.frames[1]).toEqual({ type: 'hello', token: 't' });
});

test('hello says what the options say', async () => {
  await connect({ subscribe: 'all', withoutCursor: 'start', credit: 5, deviceId: 'd', features: ['f'] });
  expect(peer.frames[0]).toEqual({
    type: 'hello',
    subscribe: 'all',
    without_cursor: 'start',
    credit: 5,
    device_id: 'd',
    features: ['f'],
  });
});

test('what comes is kept, and its cursors lead on elsewhere', async () => {
  const client = await connect();
  peer.send(seatedAt(2));
  peer.messages(3, 4);
  peer.send({ type: 'gap', conversation_id: A, from: 5, to: 6, reason: 'dead_letter' });
  peer.messages(7);
  peer.socket?.send(messageText(5, 1));
  peer.socket?.send(messageText(4, 1));
  peer.send({ type: 'caught_up' });
  await client.until(({ received }) => received.caughtUpCount === 1);
  expect(client.received.seqs(A)).toEqual([3, 4, 7, 5]);
  expect(client.received.messagesOf(A).map(({ seq, replay, effect }) => [seq, replay, effect])).toEqual([
    [3, 0, 'deliver'],
    [4, 0, 'deliver'],
    [7, 0, 'deliver'],
    [5, 1, 'deliver_late'],
    [4, 1, 'drop'],
  ]);
  expect(client.delivered).toBe(6);

  const other = await connect({ cursors: client.cursors() });
  expect(peer.frames.at(-1)).toEqual({ type: 'hello', epoch: 1, cursors: [[A, 7]] });
  peer.messages(6, 8);
  await other.untilMessages(A, 2);
  expect(other.received.seqs(A)).toEqual([6, 8]);
});

describe('acknowledging', () => {
  test('comes at half the credit', async () => {
    peer.credit = 6;
    await connect();
    const acked = nextFrame('ack');
    peer.send(seatedAt(0));
    peer.messages(1, 2, 3);
    expect(await acked).toEqual({ type: 'ack', delivered: 3 });
  });

  test('comes after 250 ms', async () => {
    await connect();
    const acked = nextFrame('ack');
    peer.send(seatedAt(0));
    peer.messages(1);
    const startMs = performance.now();
    expect(await acked).toEqual({ type: 'ack', delivered: 1 });
    expect(performance.now() - startMs).toBeGreaterThan(200);
  });

  test('is left to the test where it wants that', async () => {
    peer.credit = 2;
    const client = await connect({ autoAck: false });
    peer.send(seatedAt(0));
    peer.messages(1, 2);
    await client.untilMessages(A, 2);
    const acked = nextFrame('ack');
    client.ack();
    client.ack();
    expect(await acked).toEqual({ type: 'ack', delivered: 2 });
    expect(peer.frames.filter(({ type }) => type === 'ack')).toHaveLength(1);
  });
});

describe('a server that breaks the rules', () => {
  test.each([
    ['skips a message', (): void => peer.messages(1, 3)],
    ['leaves fields out', (): void => peer.send({ type: 'member' } as never)],
    ['sends what is no frame', (): void => peer.socket?.send('x')],
    ['sends bytes', (): void => peer.socket?.send(Buffer.from(messageText(1)))],
    ['invents a type', (): void => peer.send({ type: 'invented' } as never)],
    ['leaves out a list', (): void => peer.send({ type: 'subscribed' } as never)],
    ['is caught up twice', (): void => peer.send({ type: 'caught_up' }, { type: 'caught_up' })],
  ])('%s: fails the wait', async (_what, misbehave) => {
    const client = await connect();
    peer.send(seatedAt(0));
    misbehave();
    await expect(client.until(() => false)).rejects.toThrow('the server broke a rule');
    expect(client.received.faults).toHaveLength(1);
  });

  test('is only noted where the test asks for it', async () => {
    const client = await connect({ failOnFault: false });
    peer.send(seatedAt(0));
    peer.messages(2, 1);
    await client.untilMessages(A, 1);
    expect(client.received.faults).toEqual([`message 2 of ${A} is out of place`]);
  });
});

describe('a wait', () => {
  test('ends when the connection does, and says what came', async () => {
    const client = await connect();
    peer.socket?.close(4420, '{"retry_after_ms":7}');
    await expect(client.until(() => false)).rejects.toThrow(
      'the connection ended: 1 ready, closed with 4420 {"retry_after_ms":7}',
    );
    expect(await client.untilClosed()).toEqual({
      code: 4420,
      reason: '{"retry_after_ms":7}',
      retryAfterMs: 7,
    });
  });

  test('ends in time', async () => {
    const client = await connect();
    await expect(client.until(() => false, 20)).rejects.toThrow('not within 20 ms: 1 ready');
  });

  test('ends with what its predicate throws', async () => {
    const client = await connect();
    const fail = (): boolean => {
      throw new Error('wrong question');
    };
    await expect(client.until(fail)).rejects.toThrow('wrong question');
  });
});

test('a refused upgrade tells its status and body', async () => {
  peer.server.removeAllListeners('upgrade');
  peer.server.on('upgrade', (_request, raw) =>
    raw.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno'),
  );
  await expect(connect()).rejects.toThrow('refused with 401: no');
});

test('requests find their answers', async () => {
  const client = await connect({ subscribe: 'none' });
  peer.onFrame = (frame) => {
    if (frame.type === 'ping') peer.send({ type: 'pong', id: frame.id, server_time: NOW });
    if (frame.type === 'unsubscribe')
      peer.send({ type: 'error', id: frame.id, code: 'rate_limited', retry_after_ms: 1 });
    if (frame.type === 'subscribe') peer.send({ ...seatedAt(4), id: frame.id } as ServerFrame);
  };
  expect(await client.ping()).toMatchObject({ type: 'pong' });
  expect(await client.unsubscribe([A])).toMatchObject({ type: 'error', code: 'rate_limited' });
  expect(await client.subscribe([{ conversation_id: A, after: 4 }])).toMatchObject({ type: 'subscribed' });
  expect(client.cursorOf(A)).toBe(4);
});

test('what is not read does not come', async () => {
  const client = await connect();
  client.pauseReading();
  peer.send(seatedAt(0));
  peer.messages(1);
  await expect(client.untilMessages(A, 1, 50)).rejects.toThrow('not within');
  client.resumeReading();
  await client.untilMessages(A, 1);
});

test('closing is told to the server, cutting is not', async () => {
  const client = await connect();
  const other = await connect();
  await client.close();
  expect(client.received.close?.code).toBe(1000);
  expect(peer.closes).toEqual([1000]);
  const closed = once(peer.socket as WebSocket, 'close');
  other.terminate();
  await closed;
  expect(peer.closes).toEqual([1000, 1006]);
});
