import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ACTION_KINDS, CorrectRun } from './correct-run.ts';
import { decodeEvent, encodeEvent } from './history-codec.ts';
import { HistoryWriter, type HistoryClock } from './history-writer.ts';
import { payloadHash } from './payload-hash.ts';
import { readHistory } from './read-history.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sanctum-history-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

class TestClock implements HistoryClock {
  at = 0;
  wallAhead = 1000;
  monotonic(): number {
    return this.at;
  }
  now(): number {
    return this.at + this.wallAhead;
  }
}

function writer(name: string, clock: HistoryClock): { file: string; history: HistoryWriter } {
  const file = path.join(folder, name);
  return { file, history: new HistoryWriter(file, { process: name, clock }) };
}

test('every event of a run is read as it was written', () => {
  const steps = ACTION_KINDS.flatMap((kind) => [7, 8, 9].map((a) => ({ kind, a, b: a + 1 })));
  const { events } = new CorrectRun(steps).story;
  expect(new Set(events.map(({ type }) => type)).size).toBeGreaterThan(12);
  expect(events.map((event) => decodeEvent(encodeEvent(event)))).toEqual(JSON.parse(JSON.stringify(events)));
});

test('a line is short, and leaves out what is not there', () => {
  const event = {
    type: 'message',
    at: 1.23456,
    connection: 'x',
    conversationId: 'c',
    seq: 1,
    messageId: 'm',
    hash: 'h',
  } as const;
  expect(encodeEvent(event)).toBe('["message",1.235,"x","c",1,"m","h"]');
  expect(encodeEvent({ ...event, replay: 2 })).toBe('["message",1.235,"x","c",1,"m","h",null,2]');
});

test('files of several processes are merged by time', () => {
  const clock = new TestClock();
  const one = writer('one', clock);
  const other = writer('other', clock);
  for (const [n, { history }] of [one, other, other, one].entries()) {
    clock.at += 1;
    history.append({ type: 'post_unknown', post: `p${n}` });
  }
  one.history.close();
  other.history.close();
  const posts = [...readHistory([one.file, other.file])].flatMap((event) =>
    event.type === 'post_unknown' ? [event.post] : [],
  );
  expect(posts).toEqual(['p0', 'p1', 'p2', 'p3']);
});

test('a jump of the wall clock is noted', () => {
  const clock = new TestClock();
  const { file, history } = writer('one', clock);
  history.append({ type: 'observe' });
  clock.wallAhead += 60_000;
  history.append({ type: 'end' });
  history.close();
  expect(
    readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    ['begin', 0, 'one', 1000],
    ['observe', 0],
    ['wall', 0, 61_000],
    ['end', 0],
  ]);
});

describe('a line that cannot be read', () => {
  test('is passed over where a kill has torn the last one', () => {
    const { file, history } = writer('one', new TestClock());
    history.close();
    appendFileSync(file, '["message",1,"x"');
    expect([...readHistory([file])].map(({ type }) => type)).toEqual(['begin']);
  });

  test.each(['["message",1,"x"', '["unheard of",1]', '{}'])('is an error anywhere else: %s', (line) => {
    const { file, history } = writer('one', new TestClock());
    history.close();
    appendFileSync(file, `${line}\n["end",2]\n`);
    expect(() => [...readHistory([file])]).toThrow(`${file}:2`);
  });
});

test('a payload has one hash, however its keys are ordered, and another for each change', () => {
  const payload = { ciphertext: 'YQ==', encryption: { scheme: 'x', key_id: 'k' }, sender: 'ann' };
  const hash = payloadHash(payload);
  expect(hash).toMatch(/^[0-9a-f]{16}$/);
  expect(payloadHash({ sender: 'ann', encryption: { key_id: 'k', scheme: 'x' }, ciphertext: 'YQ==' })).toBe(
    hash,
  );
  expect(payloadHash({ ...payload, ciphertext: 'YR==' })).not.toBe(hash);
  expect(payloadHash({ ...payload, encryption: undefined })).not.toBe(hash);
  expect(payloadHash({ ciphertext: 'YQ==', encryption: undefined, sender: 'ann' })).toBe(
    payloadHash({ ciphertext: 'YQ==', sender: 'ann' }),
  );
});
