import { expect, test } from 'vitest';
import {
  ACK_DUE_MS,
  ACK_TIMEOUT_MS,
  base64Length,
  CLIENT_ACCEPTS_FRAME_BYTES,
  CLIENT_FRAME_MAX_BYTES,
  CREDIT_DEFAULT,
  CREDIT_MAX,
  CURSORS_FRAME_MAX,
  PAYLOAD_MAX_BYTES_DEFAULT,
  serverFrameMaxBytes,
  tooLargeAbove,
} from './limits.ts';

test('bounds of frames follow from the bound of payloads', () => {
  expect(serverFrameMaxBytes(65_536)).toBe(87_384 + 2048);
  expect(tooLargeAbove(65_536)).toBe(87_384 + 1536);
  expect(serverFrameMaxBytes(1)).toBe(4 + 2048);
  expect(serverFrameMaxBytes(PAYLOAD_MAX_BYTES_DEFAULT)).toBeLessThan(CLIENT_ACCEPTS_FRAME_BYTES);
});

test('what a payload may be by HTTP fits into its frame', () => {
  const payload = {
    ciphertext: 'A'.repeat(base64Length(PAYLOAD_MAX_BYTES_DEFAULT)),
    encryption: { scheme: 's'.repeat(32), key_id: 'k'.repeat(64) },
    sender: '"'.repeat(255),
  };
  // Postgres writes a space after each colon and comma.
  expect(JSON.stringify(payload).length + 7).toBeLessThanOrEqual(tooLargeAbove(PAYLOAD_MAX_BYTES_DEFAULT));
});

test('a full cursors frame fits a client frame', () => {
  const longest = ['00000000-0000-0000-0000-000000000000', Number.MAX_SAFE_INTEGER];
  const frame = {
    type: 'cursors',
    cursors: Array.from({ length: CURSORS_FRAME_MAX }, () => longest),
    more: true,
  };
  expect(JSON.stringify(frame).length).toBeLessThanOrEqual(CLIENT_FRAME_MAX_BYTES);
});

test('the smaller bound is below the larger', () => {
  expect(CREDIT_DEFAULT).toBeLessThanOrEqual(CREDIT_MAX);
  expect(ACK_DUE_MS).toBeLessThan(ACK_TIMEOUT_MS);
});
