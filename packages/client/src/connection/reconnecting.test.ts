import { CLOSE_CODES, closeAction } from '@sanctum/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PAUSE_MIN_MS } from '../backoff.ts';
import { A, device, message, seated } from '../tests/device.ts';
import { settle } from '../tests/manual-clock.ts';
import type { ScriptedSocket } from '../tests/scripted-network.ts';
import { CONNECT_BACKOFF } from './connection.ts';
import { WOKEN_PAUSE_MIN_MS } from './pause.ts';

/** Every way in which a connection can come to nothing at once. */
const PATHS: Record<string, (socket: ScriptedSocket) => void> = {
  'nothing answers': (socket) => socket.drop(1006),
  'nothing answers, and no close is told': (socket) => socket.fail(),
  'accepted and cut': (socket) => {
    socket.accept();
    socket.drop(1006);
  },
  'ready and cut': (socket) => {
    socket.welcome();
    socket.drop(1006);
  },
  'caught up and cut': (socket) => {
    socket.welcome();
    socket.serve({ type: 'caught_up' });
    socket.drop(1006);
  },
  'the token expires at once': (socket) => {
    socket.welcome();
    socket.drop(4401);
  },
  'a hint of zero': (socket) => {
    socket.accept();
    socket.drop(1013, '{"retry_after_ms":0}');
  },
  'sent on at once': (socket) => {
    socket.welcome();
    socket.serve({ type: 'goaway', reason: 'drain', reconnect_after_ms: 0, deadline_ms: 0 } as never);
  },
  'sent on, and not told when': (socket) => {
    socket.welcome();
    socket.serve({ type: 'goaway', reason: 'drain', deadline_ms: 0 } as never);
  },
  'sent on to before now': (socket) => {
    socket.welcome();
    socket.serve({ type: 'goaway', reason: 'drain', reconnect_after_ms: -60_000, deadline_ms: 0 } as never);
  },
  'sent on and cut': (socket) => {
    socket.welcome();
    socket.serve({ type: 'goaway', reason: 'drain', reconnect_after_ms: 0, deadline_ms: 0 } as never);
    socket.drop(4420);
  },
  'rules broken': (socket) => {
    socket.welcome();
    socket.serve(message(A, 7));
  },
  'rules broken again after the repair': (socket) => {
    socket.welcome();
    socket.serve(seated(A, 1), message(A, 7), seated(A, 1, 'keep:repair:1'), message(A, 9));
  },
};

/** When each try after the first may come at the earliest and at the latest, as the back-off says. */
function pauses(count: number, draw: number): number[] {
  return Array.from({ length: count }, (_, failures) =>
    Math.max(PAUSE_MIN_MS, draw * Math.min(CONNECT_BACKOFF.capMs, CONNECT_BACKOFF.baseMs * 2 ** failures)),
  );
}

const gaps = (sockets: readonly ScriptedSocket[]): number[] =>
  sockets.slice(1).map((socket, i) => socket.openedAtMs - (sockets[i]?.openedAtMs ?? 0));

describe.each(Object.entries(PATHS))('%s, over and over', (_, path) => {
  test('never comes more often than the back-off allows', async () => {
    const { clock, network, client } = await device();
    clock.draw = () => 0.5;
    network.onOpen = path;
    await clock.advance(60_000);
    const found = gaps(network.sockets);
    expect(found.length).toBeGreaterThan(3);
    // A first goaway is obeyed to the millisecond; everything behind it backs off.
    const allowed = pauses(found.length, 0.5);
    const isGoaway = path.toString().includes('goaway') && !path.toString().includes('drop');
    found
      .slice(isGoaway ? 2 : 0)
      .forEach((ms, i) => expect(ms).toBeGreaterThanOrEqual((allowed[i] ?? 0) - 1));
    expect(found.length).toBeLessThan(14);
    await client.close();
  });

  test('not even where every draw is zero', async () => {
    const { clock, network, client } = await device();
    network.onOpen = path;
    await clock.advance(5000);
    expect(network.sockets.length).toBeLessThanOrEqual(2 + 5000 / PAUSE_MIN_MS);
    await client.close();
  });
});

test('a handshake that fails without a close is over at once', async () => {
  const { network, client } = await device();
  network.last.fail();
  await settle();
  expect(client.status).toMatchObject({ state: 'waiting', why: 'closed with 1006' });
  await client.close();
});

test('a network that comes and goes all the time does not hurry it', async () => {
  const { clock, network, client } = await device();
  clock.draw = () => 0.999;
  network.onOpen = (socket) => socket.drop();
  for (let i = 0; i < 600; i++) {
    globalThis.dispatchEvent?.(new Event('online'));
    await clock.advance(100);
  }
  gaps(network.sockets)
    .slice(2)
    .forEach((ms) => expect(ms).toBeGreaterThanOrEqual(WOKEN_PAUSE_MIN_MS));
  await client.close();
});

test('a token callback that fails is asked again with the same back-off', async () => {
  let asked = 0;
  const token = (): string => {
    asked++;
    throw new Error('offline');
  };
  const { clock, client, network } = await device({ token });
  clock.draw = () => 0.5;
  await clock.advance(60_000);
  expect(asked).toBeGreaterThan(4);
  expect(asked).toBeLessThan(12);
  expect(network.sockets).toEqual([]);
  await client.close();
});

test('a connection that held makes the next failure the first again', async () => {
  const { clock, network, client } = await device();
  clock.draw = () => 0.999;
  network.onOpen = (socket) => socket.drop();
  await clock.advance(60_000);
  network.onOpen = (socket) => socket.welcome();
  await clock.advance(30_000);
  const before = network.sockets.length;
  await clock.advance(31_000);
  network.last.serve({ type: 'heartbeat' });
  network.last.drop();
  await clock.advance(CONNECT_BACKOFF.baseMs);
  expect(network.sockets.length).toBe(before + 1);
  await client.close();
});

const all = Object.keys(CLOSE_CODES).map(Number);

test.each(all.filter((code) => closeAction(code) === 'retry'))(
  '%d: again, the hint as a floor',
  async (code) => {
    const { clock, network, client } = await device();
    network.last.welcome();
    network.last.drop(code, '{"retry_after_ms":40000}');
    await clock.advance(39_999);
    expect(network.sockets.length).toBe(1);
    await clock.advance(1);
    expect(network.sockets.length).toBe(2);
    await client.close();
  },
);

test.each(all.filter((code) => closeAction(code).startsWith('stop')).concat([4599]))(
  '%d: not again',
  async (code) => {
    const { clock, network, client } = await device();
    network.last.welcome();
    network.last.drop(code);
    await clock.advance(3_600_000);
    expect(network.sockets.length).toBe(1);
    const isLogin = closeAction(code) === 'stop_login';
    expect(client.status).toMatchObject({
      state: 'stopped',
      error: { code: isLogin ? 'login_required' : 'protocol_broken' },
    });
    await expect(client.messages().next()).rejects.toThrow();
  },
);

test('4430: not before 30 s, and news of the network change nothing', async () => {
  const { clock, network, client } = await device();
  network.last.drop(4430);
  await clock.advance(10_000);
  clock.sleepMachine(60_000);
  await clock.advance(19_900);
  expect(network.sockets.length).toBe(1);
  await clock.advance(200);
  expect(network.sockets.length).toBe(2);
  await client.close();
});

test('4401: with a new token', async () => {
  let tokens = 0;
  const { clock, network, client } = await device({ token: () => `token ${++tokens}` });
  network.last.welcome();
  network.last.drop(4401);
  await clock.advance(1000);
  network.last.accept();
  expect(network.last.sentOf('hello')).toMatchObject([{ token: 'token 2' }]);
  await client.close();
});

test('4401 with a token that cannot be renewed wants a new login', async () => {
  const { network, client } = await device({ token: 'fixed' });
  network.last.welcome();
  network.last.drop(4401);
  await settle();
  expect(client.status).toMatchObject({ state: 'stopped', error: { code: 'login_required' } });
});

test('whatever the server does, and whatever is drawn, no two tries are nearer than the least pause', async () => {
  const names = fc.constantFrom(...Object.keys(PATHS));
  await fc.assert(
    fc.asyncProperty(
      fc.array(names, { minLength: 1, maxLength: 8 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      async (paths, draws) => {
        const { clock, network, client } = await device();
        clock.draw = () => draws.next().value as number;
        network.onOpen = (socket) => PATHS[paths[network.sockets.length % paths.length] as string]?.(socket);
        await clock.advance(20_000);
        const hasty = gaps(network.sockets).filter((ms) => ms < PAUSE_MIN_MS);
        // One goaway may be obeyed at once: that of a connection that followed no failure.
        expect(hasty.length).toBeLessThanOrEqual(1);
        expect(network.sockets.length).toBeLessThan(60);
        await client.close();
      },
    ),
    { numRuns: 25 },
  );
});

test('never connects before the end of the pause that it told, however long its listeners took', async () => {
  const { clock, network, client } = await device();
  clock.draw = () => 0.5;
  const ends: number[] = [];
  client.on('status', () => clock.spend(7));
  client.on('status', (status) => {
    if (status.state === 'waiting') ends.push(clock.monotonic() + status.retryInMs);
  });
  network.onOpen = (socket) => socket.drop(1006);
  network.last.drop(1006);
  await clock.advance(10_000);
  expect(ends.length).toBeGreaterThan(3);
  network.sockets.slice(1).forEach((socket, i) => expect(socket.openedAtMs).toBeGreaterThanOrEqual(ends[i]!));
  await client.close();
});

test('closed by a listener that is told of a pause, it ends at once', async () => {
  const { clock, network, client } = await device();
  let closed: Promise<void> | undefined;
  client.on('status', ({ state }) => {
    if (state === 'waiting') closed = client.close();
  });
  network.last.drop(1006);
  await settle();
  await closed;
  expect(client.status.state).toBe('stopped');
  expect([network.sockets.length, clock.waiting]).toEqual([1, 0]);
});
