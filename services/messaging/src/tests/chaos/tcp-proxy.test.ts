import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { TcpProxy } from './tcp-proxy.ts';

let server: Server;
let proxy: TcpProxy;
let served: Socket[];
const clients: Socket[] = [];

/** A server that says everything back. */
beforeEach(async () => {
  served = [];
  server = createServer((socket) => {
    served.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await TcpProxy.start((server.address() as { port: number }).port);
});
afterEach(async () => {
  for (const socket of clients.splice(0)) socket.destroy();
  await proxy.refuse();
  server.close();
});

async function client() {
  const socket = connect(proxy.port, '127.0.0.1');
  clients.push(socket);
  const heard = { text: '', end: undefined as string | undefined };
  socket.on('data', (bytes: Buffer) => (heard.text += bytes.toString()));
  socket.on('error', (error: NodeJS.ErrnoException) => (heard.end = error.code));
  socket.on('end', () => (heard.end ??= 'closed'));
  await once(socket, 'connect');
  return { socket, heard };
}

async function roundTrip(text: string): Promise<number> {
  const { socket, heard } = await client();
  const startedAt = performance.now();
  socket.write(text);
  await eventually(() => expect(heard.text).toBe(text));
  return performance.now() - startedAt;
}

it('passes on what both sides say, and that they close', async () => {
  const { socket, heard } = await client();
  socket.write('hello');
  await eventually(() => expect(heard.text).toBe('hello'));
  expect(proxy).toMatchObject({ accepted: 1, open: 1, passedBytes: { up: 5, down: 5 } });
  socket.end();
  await eventually(() => expect([heard.end, proxy.open]).toEqual(['closed', 0]));
});

it('loses and reorders nothing of what is more than its buffers', async () => {
  const { socket, heard } = await client();
  const text = Array.from({ length: 200_000 }, (_, n) => String(n)).join(' ');
  socket.write(text);
  await eventually(() => expect(heard.text === text).toBe(true));
});

it('delays each way', async () => {
  proxy.delay('up', 60);
  proxy.delay('down', 40);
  expect(await roundTrip('late')).toBeGreaterThanOrEqual(99);
});

it('throttles', async () => {
  proxy.throttle('up', 50_000);
  expect(await roundTrip('x'.repeat(10_000))).toBeGreaterThan(150);
});

describe('a network that is cut', () => {
  it('one way: what is said arrives when it is healed', async () => {
    const { socket, heard } = await client();
    proxy.hold('down');
    socket.write('question');
    await eventually(() => expect(proxy.passedBytes).toEqual({ up: 8, down: 0 }));
    expect(heard.text).toBe('');
    proxy.heal();
    await eventually(() => expect(heard.text).toBe('question'));
  });

  it('both ways: nobody hears that the other has closed, until it is healed', async () => {
    const { socket, heard } = await client();
    await eventually(() => expect(served).toHaveLength(1));
    proxy.hold('both');
    socket.write('lost?');
    socket.end();
    served[0]!.destroy();
    await eventually(() => expect(served[0]!.destroyed).toBe(true));
    expect(heard.end).toBeUndefined();
    expect(proxy.open).toBe(1);
    proxy.heal();
    await eventually(() => expect([heard.end !== undefined, proxy.open]).toEqual([true, 0]));
  });
});

it('resets what is open, and takes new connections', async () => {
  const { heard } = await client();
  await eventually(() => expect(served).toHaveLength(1));
  proxy.reset();
  await eventually(() => expect(heard.end).toBe('ECONNRESET'));
  expect(proxy).toMatchObject({ broken: 1, open: 0 });
  await roundTrip('again');
});

it('refuses, and listens on the same port again', async () => {
  const { port } = proxy;
  await proxy.refuse();
  await expect(client()).rejects.toThrow('ECONNREFUSED');
  await proxy.accept();
  expect(proxy.port).toBe(port);
  await roundTrip('again');
});

it('breaks a connection on which some bytes pass, also where they are split', async () => {
  proxy.breakOn('up', Buffer.from('poison'));
  const { socket, heard } = await client();
  socket.setNoDelay();
  socket.write('some poi');
  await eventually(() => expect(heard.text).toBe('some poi'));
  socket.write('son');
  await eventually(() => expect(heard.end).toBe('ECONNRESET'));
  expect(proxy.broken).toBe(1);
  await roundTrip('wholesome');
});

it('a server that is gone is a connection that ends', async () => {
  proxy.targetPort = 1;
  const { heard } = await client();
  await eventually(() => expect(heard.end).toBe('ECONNRESET'));
});
