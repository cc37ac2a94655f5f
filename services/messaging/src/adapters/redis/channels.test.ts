import { expect, it } from 'vitest';
import { ChannelNames } from './channels.ts';

const names = new ChannelNames('6f9619ff-8b86-4d01-b42d-00cf4fc964ff');

it.each(['c:0b8a3c52-1d2f-4e0e-9f0a-3f6f0c1d2e3f', 'u:Ærøskøbing {a}:*', 'wake', 'control'] as const)(
  'brings back %s',
  (channel) => {
    expect(names.fromRedis(Buffer.from(names.toRedis(channel)))).toBe(channel);
  },
);

it('names the installation, and leaves the slot to the conversation', () => {
  expect(names.toRedis('c:1')).toBe('sanctum:6f9619ff-8b86-4d01-b42d-00cf4fc964ff:c:1');
});
