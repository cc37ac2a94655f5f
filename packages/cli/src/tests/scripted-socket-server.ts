import { type ClientFrame, type ServerFrame, SUBPROTOCOL } from '@sanctum/protocol';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export const SERVER_TIME = '2025-02-03T04:05:06.789Z';

/** A WebSocket server on loopback that does what a test says, and nothing by itself; over HTTP it takes any token. */
export class ScriptedSocketServer {
  readonly #http: Server;
  readonly #server: WebSocketServer;
  readonly #peers = new Queue<Peer>();

  private constructor(http: Server, server: WebSocketServer) {
    this.#http = http;
    this.#server = server;
    server.on('connection', (socket) => this.#peers.push(new Peer(socket)));
  }

  static async start(): Promise<ScriptedSocketServer> {
    const handleProtocols = (): string => SUBPROTOCOL;
    const http = createServer((_request, response) => response.end('{}'));
    const server = new WebSocketServer({ server: http, path: '/ws', handleProtocols });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return new ScriptedSocketServer(http, server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  /** The next connection that is made, or was and has not been asked for. */
  peer(): Promise<Peer> {
    return this.#peers.shift();
  }

  /** The next connection, after its hello and this server's ready. */
  async welcomed(fields: Partial<ServerFrame & { type: 'ready' }> = {}): Promise<Peer> {
    const peer = await this.peer();
    peer.hello = await peer.receive('hello');
    peer.ready(fields);
    return peer;
  }

  async stop(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

/** One connection, seen from the server. */
export class Peer {
  /** The code with which it was closed. */
  readonly closed: Promise<number>;
  hello: (ClientFrame & { type: 'hello' }) | undefined;
  readonly #socket: WebSocket;
  readonly #frames = new Queue<ClientFrame>();

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('message', (data: Buffer) => this.#frames.push(JSON.parse(data.toString()) as ClientFrame));
  }

  /** The next frame of the client, which must be of this type. */
  async receive<T extends ClientFrame['type']>(type: T): Promise<ClientFrame & { type: T }> {
    const frame = await this.#frames.shift();
    if (frame.type !== type) throw new Error(`expected ${type}, got ${JSON.stringify(frame)}`);
    return frame as ClientFrame & { type: T };
  }

  send(frame: ServerFrame): void {
    this.#socket.send(JSON.stringify(frame));
  }

  ready(fields: Partial<ServerFrame & { type: 'ready' }> = {}): void {
    this.send({
      type: 'ready',
      connection_id: 'c',
      user_id: 'bob',
      epoch: 1,
      features: [],
      heartbeat_ms: 30_000,
      credit: 256,
      max_frame_bytes: 65_536,
      payload_max_bytes: 65_536,
      expires_at: SERVER_TIME,
      server_time: SERVER_TIME,
      ...fields,
    });
  }

  message(
    conversation_id: string,
    seq: number,
    fields: Partial<ServerFrame & { type: 'message' }> = {},
  ): void {
    this.send({
      type: 'message',
      conversation_id,
      seq,
      message_id: `00000000-0000-7000-8000-${String(seq).padStart(12, '0')}`,
      event_type: 'MessageCreated',
      occurred_at: SERVER_TIME,
      members_version: 1,
      payload: { ciphertext: 'c2VhbGVk', sender: 'alice' },
      ...fields,
    });
  }

  /** Answers a `subscribe`, or tells where delivery begins. */
  subscribed(conversation_id: string, after: number, id?: string | number): void {
    const conversations = [{ conversation_id, status: 'ok' as const, after, head: after, min: 1 }];
    this.send({ type: 'subscribed', ...(id !== undefined && { id }), conversations });
  }

  raw(data: string): void {
    this.#socket.send(data);
  }

  close(code: number, reason = ''): void {
    this.#socket.close(code, reason);
  }
}

/** Values in order, for whoever asks first. */
class Queue<T> {
  readonly #values: T[] = [];
  readonly #waiting: ((value: T) => void)[] = [];

  push(value: T): void {
    const next = this.#waiting.shift();
    if (next) next(value);
    else this.#values.push(value);
  }

  shift(): Promise<T> {
    if (this.#values.length > 0) return Promise.resolve(this.#values.shift() as T);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
