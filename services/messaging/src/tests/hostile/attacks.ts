import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CLIENT_FRAME_MAX_BYTES, SOCKET_BUFFER_MAX_BYTES, SUBPROTOCOL } from '@sanctum/protocol';
import { WebSocket } from 'ws';
import { mintToken } from '../support/tokens.ts';
import type { Attack, Target } from './attack.ts';
import { firstLine, rawSocket, strikeWithSockets } from './attack-sockets.ts';
import { type Outcome, Tally } from './outcome.ts';

const FLOOD_MS = 8000;
/** What a socket and its session may take. */
const SOCKET_MB = 1 / 64;
/** A frame that a client may send. */
const FRAME_MB = CLIENT_FRAME_MAX_BYTES / 2 ** 20;
/** What a socket that reads nothing is sent: the kernel's buffers hold half of it. */
const DEAF_MESSAGES = 160;
const DEAF_POSTED_AT_ONCE = 4;
const HELLO = JSON.stringify({ type: 'hello', subscribe: 'none' });

/** A member's token, each of another user: what somebody with an account may do. */
function strangers(count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, n) => mintToken({ sub: `stranger-${n}` })));
}

async function sockets(
  { wsUrl }: Target,
  options: Omit<Parameters<typeof strikeWithSockets>[1], 'tally'>,
): Promise<Outcome> {
  const tally = new Tally();
  await strikeWithSockets(wsUrl, { ...options, tally });
  return tally.counts;
}

const silent: Attack = {
  name: 'silent-sockets',
  about: '2,000 sockets that are opened and never say hello',
  strike: (target) => sockets(target, { count: 2000, act: () => undefined }),
  // Where the backlog of the listening socket is full, the kernel resets.
  answers: { 'closed 4408': 1900, 'closed 1006': 0 },
  holdsMaxMb: 2000 * SOCKET_MB,
};

const tokens: Attack = {
  name: 'bad-tokens',
  about: '1,000 connections with tokens that are forged, unsigned, expired or no tokens at all',
  strike: async (target) => {
    const forged = await mintToken({ sub: 'mallory' }, 'another-secret-of-more-than-32-bytes!!');
    const expired = await mintToken({ sub: 'mallory', exp: 1 });
    const unsigned = `${encode({ alg: 'none' })}.${encode({ sub: 'mallory', exp: 4_000_000_000 })}.`;
    const kinds = [forged, expired, unsigned, 'garbage', 'x'.repeat(8000)];
    return sockets(target, {
      count: 1000,
      token: (n) => kinds[n % kinds.length]!,
      act: (socket) => socket.send(HELLO),
    });
  },
  answers: { 'closed 4501': 800, 'closed 4401': 200 },
  holdsMaxMb: 1000 * SOCKET_MB,
};

function encode(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

const garbage: Attack = {
  name: 'garbage-frames',
  about: '400 logged-in clients that send 64 KiB of noise, deep JSON, binary, and frames too large to take',
  strike: async (target) => {
    const bearers = await strangers(400);
    const frames: (string | Buffer)[] = [
      randomBytes(48 * 1024)
        .toString('base64')
        .slice(0, 65_000),
      '['.repeat(60_000),
      `{"type":"hello","features":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      randomBytes(1024),
      'x'.repeat(2 * 1024 * 1024),
    ];
    return sockets(target, {
      count: bearers.length,
      token: (n) => bearers[n]!,
      act: (socket, n) => socket.send(frames[n % frames.length]!),
    });
  },
  // Whose frame was not there within the time of a hello is told so.
  answers: { 'closed 4500': 200, 'closed 1009': 40, 'closed 4408': 0 },
  holdsMaxMb: 400 * (SOCKET_MB + FRAME_MB),
};

const floods: Attack = {
  name: 'frame-floods',
  about: '200 logged-in clients that ask and ask: pings, subscribes, tokens, acknowledgements of nothing',
  strike: async (target) => {
    const bearers = await strangers(200);
    const floodOf = [
      () => ({ type: 'ping', id: 1 }),
      () => ({ type: 'subscribe', id: 1, conversations: [{ conversation_id: randomUUID() }] }),
      () => ({ type: 'auth', token: 'garbage' }),
      () => ({ type: 'ack', delivered: 0 }),
    ];
    return sockets(target, {
      count: bearers.length,
      token: (n) => bearers[n]!,
      act: (socket, n) => {
        socket.send(HELLO);
        socket.once('message', () => {
          for (let i = 0; i < 2000; i++) socket.send(JSON.stringify(floodOf[n % floodOf.length]!()));
        });
      },
    });
  },
  // What was still being written when the server hung up is answered by a reset.
  answers: { 'closed 4429': 0, 'closed 1006': 0 },
  closes: { 4429: 190 },
  // As in production: clients so busy with writing are late with their pongs.
  heartbeatMs: 10_000,
  holdsMaxMb: 200 * SOCKET_MB,
};

const oneUser: Attack = {
  name: 'one-user-everywhere',
  about: 'one user who opens 500 connections',
  strike: async ({ wsUrl }) => {
    const token = await mintToken({ sub: 'greedy' });
    const open: WebSocket[] = [];
    const tally = new Tally();
    const striking = strikeWithSockets(wsUrl, {
      count: 500,
      token,
      tally,
      act: (socket) => {
        socket.send(HELLO);
        socket.once('message', () => open.push(socket));
      },
    });
    await delay(FLOOD_MS);
    for (const socket of open) socket.close(1000);
    await striking;
    return tally.counts;
  },
  answers: { 'closed 4430': 400, 'closed 1000': 1 },
  holdsMaxMb: 500 * SOCKET_MB,
};

const deaf: Attack = {
  name: 'deaf-readers',
  about: "a member's 40 connections with the largest credit that read nothing of what they are sent",
  // Much more than any socket buffer holds, for each of them.
  prepare: async (world) => {
    const large = Array.from({ length: DEAF_POSTED_AT_ONCE }, () =>
      world.load.publisher({ conversation: 0, nth: 1 }),
    );
    world.load.publishers.push(...large);
    await Promise.all(
      large.map(async (publisher) => {
        for (let n = 0; n < DEAF_MESSAGES / DEAF_POSTED_AT_ONCE; n++)
          await publisher.post(randomBytes(48 * 1024).toString('base64'));
      }),
    );
  },
  strike: (target) =>
    sockets(target, {
      count: 40,
      token: target.memberToken,
      act: (socket) => {
        socket.send(JSON.stringify({ type: 'hello', credit: 1024, without_cursor: 'start' }));
        socket.once('message', () => socket.pause());
      },
    }),
  // The close frame waits behind what is not read, and who reads nothing does not notice the end either.
  answers: { 'closed 4412': 0, 'closed 1006': 0, 'still open': 0 },
  closes: { 4412: 40 },
  // As in production: by a shorter one they would be taken for dead before they are found to be slow.
  heartbeatMs: 10_000,
  holdsMaxMb: (40 * SOCKET_BUFFER_MAX_BYTES) / 2 ** 20,
};

const slowHeaders: Attack = {
  name: 'slow-headers',
  about: '400 requests whose headers come a byte at a time',
  strike: async ({ httpUrl }) => {
    const tally = new Tally();
    await Promise.all(
      Array.from({ length: 400 }, async () => {
        const socket = rawSocket(httpUrl);
        const line = firstLine(socket);
        socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ');
        const drip = setInterval(() => socket.write('x'), 500);
        tally.add(await line);
        clearInterval(drip);
        socket.destroy();
      }),
    );
    return tally.counts;
  },
  answers: { 'HTTP/1.1 408 Request Timeout': 390, closed: 0 },
  holdsMaxMb: 400 * SOCKET_MB,
};

const bodies: Attack = {
  name: 'bad-posts',
  about:
    'a stream of POSTs that are no JSON, too large, of the wrong shape, or to where the sender is not a member',
  strike: async ({ httpUrl, conversationId }) => {
    const tally = new Tally();
    const token = await mintToken({ sub: 'mallory' });
    const url = `${httpUrl}/v1/conversations/${conversationId}/messages`;
    const valid = { message_id: randomUUID(), ciphertext: 'AAAA' };
    const sent: string[] = [
      '{',
      JSON.stringify({ ...valid, plaintext: 'hello' }),
      JSON.stringify({ ...valid, ciphertext: 'not base64' }),
      JSON.stringify({ ...valid, ciphertext: 'A'.repeat(400_000) }),
      JSON.stringify({ ...valid, message_id: '1 OR 1=1' }),
      JSON.stringify({ ...valid, encryption: { scheme: '\u0000' } }),
      `{"__proto__":{"admin":true},"message_id":"${valid.message_id}","ciphertext":"AAAA"}`,
      JSON.stringify(valid),
    ];
    const until = performance.now() + FLOOD_MS;
    const stream = async () => {
      for (let n = 0; performance.now() < until; n++) {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
        const answer = await fetch(url, { method: 'POST', headers, body: sent[n % sent.length]! });
        await answer.arrayBuffer();
        tally.add(`status ${answer.status}`);
      }
    };
    await Promise.all(Array.from({ length: 8 }, stream));
    return tally.counts;
  },
  answers: { 'status 400': 1, 'status 404': 1, 'status 413': 1, 'status 429': 0 },
  holdsMaxMb: 0,
};

const reconnecting: Attack = {
  name: 'reconnect-loop',
  about: 'clients that connect with 500 cursors, hang up and come back at once, again and again',
  strike: async ({ wsUrl }) => {
    const tally = new Tally();
    const token = await mintToken({ sub: 'restless' });
    const cursors = Array.from({ length: 500 }, () => [randomUUID(), 1]);
    const hello = JSON.stringify({ type: 'hello', epoch: 1, cursors });
    const until = performance.now() + FLOOD_MS;
    const loop = async () => {
      while (performance.now() < until) {
        await new Promise<void>((resolve) => {
          const socket = new WebSocket(wsUrl, [SUBPROTOCOL], {
            headers: { authorization: `Bearer ${token}` },
            perMessageDeflate: false,
          });
          socket.on('error', () => undefined);
          socket.on('open', () => socket.send(hello));
          let isOurs = false;
          socket.on('message', () => {
            isOurs = true;
            socket.terminate();
          });
          socket.on('close', (code) => {
            tally.add(isOurs ? 'hung up' : `closed ${code}`);
            resolve();
          });
        });
      }
    };
    await Promise.all(Array.from({ length: 20 }, loop));
    return tally.counts;
  },
  answers: { 'hung up': 100, 'closed 1013': 0, 'closed 4429': 0, 'closed 4430': 0 },
  holdsMaxMb: 0,
};

export const ATTACKS: readonly Attack[] = [
  silent,
  tokens,
  garbage,
  floods,
  oneUser,
  deaf,
  slowHeaders,
  bodies,
  reconnecting,
];
