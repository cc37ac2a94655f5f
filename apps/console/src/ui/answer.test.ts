import { expect, test } from 'vitest';
import { ApiError } from '../server/api-error.ts';
import { answerTo, failed } from './answer.ts';

const error = new ApiError('unreachable', 'no answer');
const rows = { key: 'rows', data: [1, 2] };

test('an answer is shown for its own question only', () => {
  expect(answerTo(rows, 'rows')).toEqual(rows);
  expect(answerTo(rows, 'entries')).toEqual({});
  expect(answerTo(rows, undefined)).toEqual({});
});

test('a failure keeps what the same question had brought', () => {
  const after = failed(rows, 'rows', error);
  expect(answerTo(after, 'rows')).toEqual({ ...rows, error });
});

test('a failure keeps nothing of another question', () => {
  const after = failed(rows, 'entries', error);
  expect(answerTo(after, 'entries')).toEqual({ key: 'entries', error });
  expect(answerTo(after, 'rows')).toEqual({});
});
