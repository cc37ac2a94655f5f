import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort, portIsFree } from './free-port.ts';

let busy: Server;
let port: number;

beforeEach(async () => {
  busy = createServer().listen(0, '127.0.0.1');
  await once(busy, 'listening');
  ({ port } = busy.address() as AddressInfo);
});

afterEach(() => void busy.close());

test('a port that somebody listens on is not free', async () => {
  expect(await portIsFree(port)).toBe(false);
});

test('the preferred port is taken when it is free, else another', async () => {
  const other = await freePort(port);
  expect(other).not.toBe(port);
  expect(await freePort(other)).toBe(other);
});
