import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SUBPROTOCOL } from '@sanctum/protocol';
import { WebSocket } from 'ws';
import type { Tally } from './outcome.ts';

const OPENED_AT_ONCE = 200;
const PAUSE_MS = 20;
/** Whoever is still open by then was not dealt with. */
const PATIENCE_MS = 40_000;

/** Opens `count` sockets, has each do its worst, and counts how each of them ended. */
export async function strikeWithSockets(
  url: string,
  options: {
    readonly count: number;
    readonly tally: Tally;
    readonly token?: string | ((n: number) => string);
    /** From the upgrade on. */
    readonly act: (socket: WebSocket, n: number) => void;
  },
): Promise<void> {
  const { count, tally, token, act } = options;
  const ends: Promise<void>[] = [];
  for (let n = 0; n < count; n++) {
    const bearer = typeof token === 'function' ? token(n) : token;
    const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
    const socket = new WebSocket(url, [SUBPROTOCOL], { headers, perMessageDeflate: false });
    socket.on('error', () => undefined);
    socket.on('open', () => act(socket, n));
    ends.push(endOf(socket, tally));
    if (n % OPENED_AT_ONCE === OPENED_AT_ONCE - 1) await delay(PAUSE_MS);
  }
  await Promise.all(ends);
}

async function endOf(socket: WebSocket, tally: Tally): Promise<void> {
  let isOverdue = false;
  const patience = setTimeout(() => {
    isOverdue = true;
    socket.terminate();
  }, PATIENCE_MS);
  const [code] = (await once(socket, 'close')) as [number];
  clearTimeout(patience);
  tally.add(isOverdue ? 'still open' : `closed ${code}`);
}

/** Raw TCP, for what no library would send. */
export function rawSocket(url: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  return socket;
}

/** Resolves with the first line of the answer, or `closed` where none came. */
export function firstLine(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (text.includes('\r\n')) resolve(text.slice(0, text.indexOf('\r\n')));
    });
    socket.on('close', () => resolve('closed'));
  });
}
