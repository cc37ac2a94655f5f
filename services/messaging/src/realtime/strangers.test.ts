import { CLOSE } from '@sanctum/protocol';
import { expect, test } from 'vitest';
import { KeepingConnection, memoryHub, say } from '../tests/support/memory-hub.ts';
import type { Session } from './session.ts';

function scene({ maxClients }: { maxClients: number }) {
  const { clock, hub } = memoryHub({ maxClients });
  const connections: KeepingConnection[] = [];
  /** A socket; with `says`, one that says hello as this user. */
  const open = (id: string, { says }: { says?: string } = {}): Session => {
    const connection = new KeepingConnection(id);
    connections.push(connection);
    const session = hub.connect(connection, says);
    if (says !== undefined) say(session, { type: 'hello' });
    return session;
  };
  /** Code by socket, in the order of their opening. */
  const closed = () =>
    new Map(connections.flatMap(({ id, closed: code }) => (code === undefined ? [] : [[id, code] as const])));
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
  expect([...closed().keys()]).toEqual(Array.from({ length: 151 }, (_, n) => `silent-${n}`));
  expect(new Set(closed().values())).toEqual(new Set([CLOSE.try_later]));
});

test('in a pod that is full a silent socket goes before the one that comes; without any, that one goes', async () => {
  const { clock, open, closed } = scene({ maxClients: 3 });
  open('ann', { says: 'ann' });
  open('silent');
  open('bob', { says: 'bob' });
  await clock.advance(10);
  open('carol', { says: 'carol' });
  await clock.advance(10);
  expect([...closed().keys()]).toEqual(['silent']);
  open('dave', { says: 'dave' });
  expect([...closed().keys()]).toEqual(['silent', 'dave']);
});
