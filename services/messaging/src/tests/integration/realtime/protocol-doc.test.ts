import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { RealtimeWorld } from './support/realtime-world.ts';
import { play } from './support/session-player.ts';
import { sessionsOf } from './support/session-script.ts';

const sessions = sessionsOf(
  readFileSync(new URL('../../../../../../docs/protocol.md', import.meta.url), 'utf8'),
);

let world: RealtimeWorld | undefined;
afterEach(() => world?.end());

it('docs/protocol.md holds sessions', () => {
  expect(sessions.length).toBeGreaterThan(5);
});

it.each(sessions.map((session) => [session.title, session] as const))(
  'the session "%s" is what a real server does',
  async (_title, session) => {
    world = await RealtimeWorld.start();
    await play(session, world);
  },
);
