import { expect, test } from 'vitest';
import { MemoryBus } from '../adapters/memory/memory-bus.ts';
import { ManualClock, settle } from '../tests/support/manual-clock.ts';
import { Fleet } from './fleet.ts';
import { PodBus, type PodMessage } from './pod-bus.ts';
import { PodQuestions } from './pod-questions.ts';

test('what a stranger or a newer pod says on the channel ends no pod', async () => {
  const clock = new ManualClock();
  const bus = new MemoryBus({ clock });
  const subscriber = bus.subscriber();
  const pods = new PodBus({ publisher: bus.publisher(), subscriber, clock });
  bus.loseConnections();
  await settle();
  const fleet = new Fleet(clock);
  const heard: string[] = [];
  pods.onMessage((message) => {
    heard.push(message.kind);
    if (message.kind === 'figures') fleet.hear(message.figures);
  });
  const questions = new PodQuestions({
    bus: pods,
    fleet,
    table: async () => [],
    clock,
    instance: 'this one',
    answer: (question) => {
      const count = question.about === 'reach' ? [...question.conversationIds].length : 0;
      return { pod: 'this one', count };
    },
  });
  const words = [
    'not JSON',
    'null',
    '[]',
    '{"kind":"figures"}',
    '{"kind":"figures","figures":null}',
    '{"kind":"figures","figures":{"v":1,"instance":"x","name":"x","at":1}}',
    '{"kind":"figures","figures":{"v":2,"instance":"x"}}',
    '{"kind":"ask","id":"1"}',
    '{"kind":"ask","id":"1","question":{"about":"reach"}}',
    '{"kind":"answer","id":"1","instance":"x","answer":null}',
    '{"kind":"greeting"}',
  ];
  const stranger = bus.publisher();
  for (const word of words) await stranger.publish([{ channel: 'control', bytes: Buffer.from(word) }]);
  await settle();
  expect(fleet.pods()).toEqual([]);
  expect(() => fleet.rates()).not.toThrow();
  await pods.say({ kind: 'changed' } satisfies PodMessage);
  await settle();
  expect(heard.at(-1)).toBe('changed');
  const { answers } = await questions.ask({ about: 'reach', conversationIds: [] });
  expect(answers).toEqual([{ pod: 'this one', count: 0 }]);
});
