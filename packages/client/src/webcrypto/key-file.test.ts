import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { memoryStorage } from '../storage/memory-storage.ts';
import { keyLine, parseKeyFile } from './key-file.ts';
import { newSecret } from './key-ring.ts';
import { webCryptoCipher } from './webcrypto-cipher.ts';

const context = {
  conversationId: '0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b',
  sender: 'alice',
  messageId: '0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1c',
};
const plaintext = new TextEncoder().encode('Hello');

function cipherOf(text: string) {
  return webCryptoCipher({ keys: parseKeyFile(text), storage: memoryStorage() });
}

test('two who have the same file read each other; the newest key is sent with', async () => {
  const old = keyLine('2026-02');
  const both = `# ours\n\n${old}\n${keyLine('2026-03')}\n`;
  const sealed = await cipherOf(both).encrypt(plaintext, context);
  expect(sealed.keyId).toBe('2026-03');
  expect((await cipherOf(both).decrypt(sealed, context)).plaintext).toEqual(plaintext);
  const before = await cipherOf(old).encrypt(plaintext, context);
  expect((await cipherOf(both).decrypt(before, context)).plaintext).toEqual(plaintext);
  await expect(cipherOf(old).decrypt(sealed, context)).rejects.toThrow('no key of this epoch');
});

test('each conversation has a key of its own', async () => {
  const cipher = cipherOf(keyLine());
  const sealed = await cipher.encrypt(plaintext, context);
  const elsewhere = { ...context, conversationId: '0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1d' };
  await expect(cipher.decrypt(sealed, elsewhere)).rejects.toThrow();
});

test('a secret alone, as openssl makes it, is of epoch 1', async () => {
  const secret = newSecret();
  const alone = Buffer.from(secret).toString('base64');
  const sealed = await cipherOf(`${alone}\r\n`).encrypt(plaintext, context);
  expect(sealed.keyId).toBe('1');
  expect((await cipherOf(keyLine('1', secret)).decrypt(sealed, context)).plaintext).toEqual(plaintext);
});

test('what is wrong is named by its line, and not repeated', () => {
  const short = randomBytes(31).toString('base64');
  for (const wrong of [short, `1 ${short}`, 'ä AAAA', `${keyLine()} more`, 'secret']) {
    expect(() => parseKeyFile(`# key\n${wrong}`)).toThrow(/^line 2 is not a key: /);
  }
  expect(() => parseKeyFile(`${keyLine()}\n${keyLine()}`)).toThrow(
    'line 2 names a key id for the second time',
  );
  expect(() => parseKeyFile('# nothing\n')).toThrow('there is no key in it');
});
