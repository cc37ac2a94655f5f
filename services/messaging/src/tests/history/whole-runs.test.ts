import { describe, expect, test } from 'vitest';
import { Story } from './story.ts';

const C = 'conversation';

function opening(options?: { seesCommits: boolean }): Story {
  const story = new Story(options);
  story.create(C, ['ann', 'bob']);
  story.connect('bob-1', 'bob');
  story.seat('bob-1', C);
  return story;
}

const checksOf = (story: Story): string[] => [...new Set(story.check().violations.map(({ check }) => check))];

test('a POST without an answer is there once or never', () => {
  const story = opening();
  for (const id of ['m1', 'm2']) story.add({ type: 'post_unknown', post: story.begin(C, id) });
  story.append(C, 'm2');
  story.deliver('bob-1', C, [1]);
  story.end();
  expect(checksOf(story)).toEqual([]);
  story.append(C, 'm2');
  expect(checksOf(story)).toContain('one_at_two_places');
});

test('a run that sees commits knows a message that came before its own', () => {
  for (const isEarly of [false, true]) {
    const story = opening({ seesCommits: true });
    story.begin(C, 'm1');
    story.append(C, 'm1');
    const commit = { type: 'commit', conversationId: C, seq: 1, messageId: 'm1', epoch: 1 } as const;
    if (!isEarly) story.add(commit);
    story.deliver('bob-1', C, [1]);
    if (isEarly) story.add(commit);
    expect(checksOf(story)).toEqual(isEarly ? ['seen_before_commit'] : []);
  }
});

describe('after a restore', () => {
  function restored(): Story {
    const story = opening();
    for (const id of ['m1', 'm2', 'm3']) story.post(C, id);
    story.deliver('bob-1', C, [1, 2, 3]);
    story.close('bob-1', 1012);
    story.restore([[C, 1]]);
    return story;
  }

  test('what it took is nobody’s loss, and its places are given anew', () => {
    const story = restored();
    story.connect('bob-2', 'bob', { epoch: 1, cursors: [[C, 3]], withoutCursor: 'start' });
    story.add({ type: 'reset', connection: 'bob-2', conversationId: '*', epoch: 2, reason: 'epoch' });
    story.seat('bob-2', C, 0);
    story.post(C, 'm4');
    story.post(C, 'm3');
    story.deliver('bob-2', C, [1, 2, 3]);
    story.end();
    expect(checksOf(story)).toEqual([]);
  });

  test('what it left keeps its place', () => {
    const story = restored();
    story.post(C, 'm4');
    const again = story.begin(C, 'm1');
    story.add({ type: 'post_ok', post: again, seq: 3, epoch: 2 });
    expect(checksOf(story)).toEqual(['idempotency']);
    story.begin(C, 'm5');
    story.change(C, 1, { messageId: 'm5' });
    expect(checksOf(story)).toContain('two_at_one_place');
  });

  test('a connection does not stay in the epoch that is over', () => {
    const story = opening();
    story.restore([[C, 0]]);
    story.end();
    expect(checksOf(story)).toEqual(['loss']);
  });
});

test('a row that is being retried holds up all behind it, and nobody loses anything', () => {
  const story = opening();
  story.post(C, 'm1');
  story.post(C, 'm2', { status: 'pending', attempts: 2 });
  story.post(C, 'm3', { status: 'pending' });
  story.deliver('bob-1', C, [1]);
  story.end();
  expect(checksOf(story)).toEqual([]);
  story.change(C, 2, { attempts: 0 });
  expect(checksOf(story)).toEqual(['loss']);
});

test('a replay during a fault is not judged, nor one of a client that went away', () => {
  for (const isExcused of [true, false]) {
    const story = opening();
    story.post(C, 'm1');
    story.deliver('bob-1', C, [1]);
    if (isExcused) story.add({ type: 'fault', phase: 'begin', name: 'redis is gone' });
    story.resend('replay', C, 1, 1);
    if (isExcused) story.add({ type: 'fault', phase: 'end', name: 'redis is gone' });
    story.now += 100;
    story.end();
    expect(checksOf(story)).toEqual(isExcused ? [] : ['replay_lost']);
  }
  const story = opening();
  story.post(C, 'm1');
  story.deliver('bob-1', C, [1]);
  story.resend('replay', C, 1, 1);
  story.close('bob-1');
  story.now += 100;
  story.end();
  expect(checksOf(story)).toEqual([]);
});

test('a run that was cut short is judged for what it shows', () => {
  const story = opening();
  story.post(C, 'm1');
  const { violations, ended } = story.check();
  expect({ violations, ended }).toEqual({ violations: [], ended: false });
});

test('a history that contradicts itself is an error of the run, not of the server', () => {
  const story = opening();
  story.add({ type: 'post_ok', post: 'unheard of', seq: 1, epoch: 1 });
  expect(() => story.check()).toThrow('unheard of');
});
