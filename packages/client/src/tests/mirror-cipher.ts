import type { Cipher } from '../cipher.ts';

/** Turns bytes over: enough to tell what went through a cipher from what did not. Knows no secrets. */
export const mirrorCipher: Cipher = {
  async encrypt(plaintext) {
    return { ciphertext: plaintext.map((byte) => byte ^ 0xff), scheme: 'mirror' };
  },
  async decrypt({ ciphertext, scheme }) {
    if (scheme !== 'mirror') throw new Error('another scheme');
    return { plaintext: ciphertext.map((byte) => byte ^ 0xff) };
  },
};
