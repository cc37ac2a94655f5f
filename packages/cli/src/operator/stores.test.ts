import { podFigures } from '@sanctum/messaging/tests/support/pod-figures';
import { expect, test } from 'vitest';
import { asPodsHave, storeConfig } from './stores.ts';

const THEIRS = { name: 'acme:messages', partitions: 4, maxLength: 5000, group: 'acme-hub' };
const said = (stream: typeof THEIRS | undefined, ageMs = 0) => ({
  figures: podFigures({ ...(stream && { stream }) }),
  ageMs,
});
const streamOf = (env: Record<string, string>, ...pods: ReturnType<typeof said>[]) => {
  const urls = { postgres: 'postgres://none', redis: undefined };
  const { stream, consumer } = storeConfig(asPodsHave(env, pods), urls);
  return { ...stream, group: consumer.group };
};

test('a shell that does not say which stream is meant looks at that of the pods', () => {
  expect(streamOf({}, said(THEIRS))).toEqual(THEIRS);
  expect(streamOf({ DISPATCH_STREAM_NAME: '' }, said(undefined), said(THEIRS))).toEqual(THEIRS);
});

test('of pods that differ, the one heard of last counts', () => {
  const former = { ...THEIRS, partitions: 2 };
  expect(streamOf({}, said(former, 4000), said(THEIRS, 500)).partitions).toBe(4);
});

test('what the shell says itself wins; where nobody says anything it is the default', () => {
  const env = { DISPATCH_STREAM_PARTITIONS: '2' };
  expect(streamOf(env, said(THEIRS))).toEqual({ ...THEIRS, partitions: 2 });
  expect(streamOf({}, said(undefined))).toEqual({
    name: 'sanctum:messages',
    partitions: 1,
    maxLength: 1_000_000,
    group: 'messaging-hub',
  });
});
