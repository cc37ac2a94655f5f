import { CLOSE } from '@sanctum/protocol';
import { expect, test } from 'vitest';
import { MemoryBus } from '../adapters/memory/memory-bus.ts';
import { MemoryLog } from '../adapters/memory/memory-log.ts';
import { silentLog } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { ManualClock } from '../tests/support/manual-clock.ts';
import { Epochs } from './epochs.ts';
import { Hub } from './hub.ts';
import type { Session } from './session.ts';

function scene({ maxClients }: { maxClients: number }) {
  const clock = new ManualClock();
  const { reader } = new MemoryLog({ clock, payloadLimitBytes: 100_000 });
  const hub = new Hub({
    settings: { heartbeatMs: 30_000, payloadMaxBytes: 65_536, maxClients },
    clock,
    metrics: createMetrics({ dispatcher: false, consumer: false }),
    log: silentLog,
    epochs: new Epochs({ current: 1, reader, log: silentLog }),
    reader,
    bus: new MemoryBus({ clock }).subscriber(),
    verifier: {
      verify: (token) => ({
        ok: true,
        userId: token!,
        scopes: new Set(),
        expiresAt: clock.now() + 3_600_000,
        issuedAt: clock.now(),
      }),
    },
  });
  hub.start();
  const closed = new Map<string, number>();
  /** A socket; with `says`, one that says hello as this user. */
  const open = (id: string, { says }: { says?: string } = {}): Session => {
    const session = hub.connect(
      {
        id,
        unsentBytes: 0,
        send() {},
        sendJson() {},
        cork() {},
        uncork() {},
        ping() {},
        close: (code) => void closed.set(id, code),
        terminate() {},
      },
      says,
    );
    if (says !== undefined) session.receive(JSON.stringify({ type: 'hello' }));
    return session;
  };
  return { clock, hub, open, closed };
}

test('silent sockets take half of a pod: the longest silent ones go, whoever says hello is served', async () => {
  const { clock, hub, open, closed } = scene({ maxClients: 400 });
  const members = ['ann', 'bob'].map((user) => open(user, { says: user }));
  await clock.advance(10);
  for (let n = 0; n < 350; n++) open(`silent-${n}`);
  const late = open('carol', { says: 'carol' });
  await clock.advance(10);
  expect([...members, late].map(({ state }) => state)).toEqual(['live', 'live', 'live']);
  // One of two hundred has said hello by now.
  expect(hub.sessions.size).toBe(3 + 199);
  expect([...closed.keys()]).toEqual(Array.from({ length: 151 }, (_, n) => `silent-${n}`));
  expect(new Set(closed.values())).toEqual(new Set([CLOSE.try_later]));
});

test('in a pod that is full a silent socket goes before the one that comes; without any, that one goes', async () => {
  const { clock, open, closed } = scene({ maxClients: 3 });
  open('ann', { says: 'ann' });
  open('silent');
  open('bob', { says: 'bob' });
  await clock.advance(10);
  open('carol', { says: 'carol' });
  await clock.advance(10);
  expect([...closed.keys()]).toEqual(['silent']);
  open('dave', { says: 'dave' });
  expect([...closed.keys()]).toEqual(['silent', 'dave']);
});
