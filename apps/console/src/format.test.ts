import { expect, test } from 'vitest';
import { bytesText, counted, durationText, millisecondsText, rateText, timeText } from './format.ts';

test('durations keep two units at the most', () => {
  const written = [0, 0.42, 9.96, 59, 61, 3600, 7500, 86_400 * 4 + 3 * 3600, null].map(durationText);
  expect(written).toEqual(['0 s', '0.4 s', '10 s', '59 s', '1 min', '1 h', '2 h 5 min', '4 d 3 h', '–']);
});

test('rates say something small from nothing', () => {
  expect([0, 0.01, 0.3, 42.12, 99.96, 1284.4, null].map(rateText)).toEqual([
    '0',
    '<0.1',
    '0.3',
    '42.1',
    '100',
    '1,284',
    '–',
  ]);
});

test('latencies, sizes, times and counts carry their unit', () => {
  expect([4, 380, 999.7, 1234].map(millisecondsText)).toEqual(['4.0 ms', '380 ms', '1.0 s', '1.2 s']);
  expect([512, 1400, 999_900, 3e9, 2e13].map(bytesText)).toEqual([
    '512 B',
    '1.4 kB',
    '1.0 MB',
    '3.0 GB',
    '20.0 TB',
  ]);
  expect(timeText('2026-11-25T19:16:36.120Z')).toBe('2026-11-25 19:16:36');
  expect([counted(1, 'client'), counted(2000, 'client')]).toEqual(['1 client', '2,000 clients']);
});
