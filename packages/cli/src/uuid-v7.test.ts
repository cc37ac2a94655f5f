import { isUuid } from '@sanctum/protocol';
import { expect, test } from 'vitest';
import { uuidV7 } from './uuid-v7.ts';

test('it is a UUID of version 7 that begins with the time', () => {
  const id = uuidV7(0x0190_a1b2_7c3d);
  expect(isUuid(id)).toBe(true);
  expect(id).toMatch(/^0190a1b2-7c3d-7[0-9a-f]{3}-[89ab]/);
});

test('two of one moment differ, and later ones sort later', () => {
  expect(uuidV7(1)).not.toBe(uuidV7(1));
  expect(uuidV7(Date.UTC(2025, 0, 1)) < uuidV7(Date.UTC(2025, 0, 2))).toBe(true);
});
