import { expect, test } from 'vitest';
import { afterEnd, type LinkEnd } from './after-end.ts';

const URL = 'http://127.0.0.1:8083';
const next = (end: LinkEnd, { wasConnected = true, isRenewable = true } = {}) =>
  afterEnd(end, { url: URL, wasConnected, isRenewable });
const closed = (code: number, hintMs?: number): LinkEnd => ({ kind: 'closed', code, hintMs });

test.each([1001, 1006, 1011, 1012, 1013, 4408, 4412, 4420, 4429, 4499, 3000])('%d is tried again', (code) => {
  expect(next(closed(code, 70))).toMatchObject({ action: 'retry', floorMs: 70 });
});

test('too many connections: at least 30 s', () => {
  expect(next(closed(4430))).toMatchObject({ action: 'retry', floorMs: 30_000 });
  expect(next(closed(4430, 40_000))).toMatchObject({ floorMs: 40_000 });
});

test.each([1002, 1003, 1007, 1009, 4500, 4599])('%d is a bug to report', (code) => {
  expect(next(closed(code))).toMatchObject({
    action: 'stop',
    error: { next: expect.stringContaining('bug') },
  });
});

test.each([1000, 4501, 4503])('%d needs another login', (code) => {
  expect(next(closed(code))).toMatchObject({
    action: 'stop',
    error: { next: expect.stringContaining('token') },
  });
});

test('an expired token is renewed where that can be done', () => {
  expect(next(closed(4401))).toMatchObject({ action: 'retry' });
  expect(next(closed(4401), { isRenewable: false })).toMatchObject({ action: 'stop' });
  const refused: LinkEnd = { kind: 'refused', status: 401, code: 'token_expired' };
  expect(next(refused)).toMatchObject({ action: 'retry' });
  expect(next(refused, { isRenewable: false })).toMatchObject({ action: 'stop' });
});

test('nothing there: told at once the first time, waited for once it had been there', () => {
  expect(next({ kind: 'unreachable' }, { wasConnected: false })).toMatchObject({
    action: 'stop',
    error: { message: `nothing answers at ${URL}: is \`npm start\` running?` },
  });
  expect(next({ kind: 'unreachable' })).toMatchObject({ action: 'retry' });
});

test('a refused upgrade', () => {
  expect(next({ kind: 'refused', status: 503, hintMs: 2000 })).toMatchObject({
    action: 'retry',
    floorMs: 2000,
  });
  expect(next({ kind: 'refused', status: 403, code: 'origin_denied' })).toMatchObject({ action: 'stop' });
  expect(next({ kind: 'refused', status: 404 })).toMatchObject({
    action: 'stop',
    error: { message: expect.stringContaining('not the messaging service') },
  });
});
