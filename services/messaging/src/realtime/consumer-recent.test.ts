import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { streamMessage } from '../tests/support/stream-messages.ts';
import { RecentBroadcasts } from './consumer-recent.ts';

it('knows a copy that is sent again, and takes a replay for another message', () => {
  const recent = new RecentBroadcasts();
  const eventId = randomUUID();
  recent.add(streamMessage({ eventId }));
  expect(recent.has(streamMessage({ eventId, resent: true }))).toBe(true);
  expect(recent.has(streamMessage({ eventId, replayNo: 1 }))).toBe(false);
  expect(recent.has(streamMessage())).toBe(false);
});

it('a replay after a restore is not taken for the one before it', () => {
  const recent = new RecentBroadcasts();
  const eventId = randomUUID();
  const replay = streamMessage({ eventId, replayNo: 1 });
  recent.add(replay);
  expect(recent.has({ ...replay, epoch: replay.epoch + 1 })).toBe(false);
});

it('forgets the oldest', () => {
  const recent = new RecentBroadcasts(2);
  const [first, second, third] = [streamMessage(), streamMessage(), streamMessage()];
  for (const entry of [first, second, second, third]) recent.add(entry);
  expect([first, second, third].map((entry) => recent.has(entry))).toEqual([false, true, true]);
});
