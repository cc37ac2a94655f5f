import { describe, expect, it } from 'vitest';
import { contentHash, type MessageContent } from './content-hash.ts';

const content: MessageContent = {
  sender: 'alice',
  conversationId: '3f0f4a3e-5a0b-4f7e-9a53-0d9a5c6f2b11',
  ciphertext: 'c2VhbGVk',
  encryption: { scheme: 'aes-256-gcm', key_id: 'k1' },
};

describe('contentHash', () => {
  it('is 32 bytes, the same for the same message, in every version of this service', () => {
    expect(contentHash(content).toString('hex')).toBe(
      '1c45a95509a806149d97cd8b7197c9021b530c00c92aa904916d195fcaff0bec',
    );
    expect(contentHash({ ...content, encryption: { key_id: 'k1', scheme: 'aes-256-gcm' } })).toEqual(
      contentHash(content),
    );
  });

  it('is of the bytes, not of their text', () => {
    expect(contentHash({ ...content, ciphertext: 'AA==' })).not.toEqual(
      contentHash({ ...content, ciphertext: 'AAA=' }),
    );
  });

  it.each([
    ['sender', { sender: 'alicf' }],
    ['a sender of other bytes that look alike', { sender: 'alicé' }],
    ['conversation', { conversationId: '3f0f4a3e-5a0b-4f7e-9a53-0d9a5c6f2b12' }],
    ['ciphertext', { ciphertext: 'c2VhbGVl' }],
    ['scheme', { encryption: { scheme: 'aes-256-gcn', key_id: 'k1' } }],
    ['key id', { encryption: { scheme: 'aes-256-gcm', key_id: 'k2' } }],
    ['no key id', { encryption: { scheme: 'aes-256-gcm' } }],
    ['no encryption', { encryption: undefined }],
    ['a letter moved from scheme to key id', { encryption: { scheme: 'aes-256-gc', key_id: 'mk1' } }],
  ])('differs with another %s', (_, change) => {
    expect(contentHash({ ...content, ...change })).not.toEqual(contentHash(content));
  });
});
