import { describe, expect, it } from 'vitest';
import type { LogFields } from '../log.ts';
import { Sealed } from '../sealed.ts';
import { createLog, type LogLevel } from './pino-log.ts';

function record(level: LogLevel = 'info') {
  const lines: string[] = [];
  const log = createLog(level, { pod: 'pod-1', destination: { write: (line) => lines.push(line) } });
  return { log, lines, last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> };
}

describe('the log', () => {
  it('writes one JSON object a line', () => {
    const { log, lines, last } = record();
    log.info('consumer_started', { group: 'messaging-hub', batch: 128, fresh: true, streams: ['a', 'b'] });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
    expect(last()).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown,
      level: 'info',
      pod: 'pod-1',
      event: 'consumer_started',
      group: 'messaging-hub',
      batch: 128,
      fresh: true,
      streams: ['a', 'b'],
    });
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = record('warn');
    log.debug('a');
    log.info('b');
    log.warn('c');
    log.error('d');
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(['warn', 'error']);
  });

  it.each([
    ['a sealed payload', new Sealed('{"ciphertext":"c2VjcmV0"}')],
    ['an object', { ciphertext: 'c2VjcmV0' }],
    ['a nested object', { a: { b: { ciphertext: 'c2VjcmV0' } } }],
    ['a buffer', Buffer.from('c2VjcmV0')],
    ['bytes', new Uint8Array(Buffer.from('c2VjcmV0'))],
    ['an error', new Error('c2VjcmV0', { cause: 'c2VjcmV0' })],
    ['a list of objects', [{ ciphertext: 'c2VjcmV0' }]],
    ['a list of buffers', [Buffer.from('c2VjcmV0')]],
    ['an object that serialises itself', { toJSON: () => 'c2VjcmV0' }],
    ['a boxed text', Object('c2VjcmV0') as unknown],
    ['a function', () => 'c2VjcmV0'],
    ['a symbol', Symbol('c2VjcmV0')],
  ])('never lets through %s', (_, value) => {
    const { log, lines, last } = record();
    log.info('x', { field: value } as unknown as LogFields);
    expect(last()['field']).toMatch(/^\[not logged: (object|function|symbol)\]$/);
    expect(lines.join()).not.toContain('c2VjcmV0');
    expect(lines.join()).not.toContain(Buffer.from('c2VjcmV0').toJSON().data.join(','));
  });

  it('clips long texts and lists', () => {
    const { log, lines, last } = record();
    log.info('x', {
      reason: 'r'.repeat(10_000),
      names: Array.from({ length: 1000 }, () => 'n'.repeat(1000)),
    });
    expect(last()['reason']).toHaveLength(201);
    expect(last()['names']).toHaveLength(64);
    expect(lines[0]!.length).toBeLessThan(20_000);
  });

  it('keeps its own fields its own', () => {
    const { log, last } = record();
    log.info('x', { level: 'error', event: 'y', time: 'never', pod: 'other', code: 7 });
    expect(last()).toMatchObject({ level: 'info', event: 'x', pod: 'pod-1', code: 7 });
  });

  it('cannot be made to write two lines, or none', () => {
    const { log, lines } = record();
    log.info('x', { reason: 'a\n{"event":"forged"}', number: NaN, missing: undefined });
    expect(lines).toHaveLength(1);
    expect(lines[0]!.split('\n')).toHaveLength(2);
  });
});
