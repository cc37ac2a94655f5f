import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { BufferedTransaction } from '../storage/buffered-transaction.ts';
import { memoryStorage } from '../storage/memory-storage.ts';
import { A, B } from '../tests/device.ts';
import { canonicalBytes } from './canonical.ts';
import { KeyRing, newSecret } from './key-ring.ts';
import { pad, padmeSize, unpad } from './padding.ts';
import { ENCRYPTIONS_MAX, SCHEME, webCryptoCipher } from './webcrypto-cipher.ts';

const context = { conversationId: A, sender: 'alice', messageId: B };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function ring(): Promise<KeyRing> {
  const keys = new KeyRing();
  await keys.add(A, '1', newSecret());
  return keys;
}

test('opens what it sealed, and says which key it took', async () => {
  const keys = await ring();
  const cipher = webCryptoCipher({ keys, storage: memoryStorage() });
  const old = await cipher.encrypt(bytes('before'), context);
  await keys.add(A, '2', newSecret());
  const sealed = await cipher.encrypt(bytes('after'), context);
  expect([old.keyId, sealed.keyId, sealed.scheme]).toEqual(['1', '2', SCHEME]);
  expect((await cipher.decrypt(old, context)).plaintext).toEqual(bytes('before'));
  expect((await cipher.decrypt(sealed, context)).plaintext).toEqual(bytes('after'));
});

test.each([[{ text: 'Hello' }], [42], [undefined], [new ArrayBuffer(8)], [[1, 2]]])(
  'content that is no text and no bytes is refused: %j',
  async (content) => {
    const cipher = webCryptoCipher({ keys: await ring(), storage: memoryStorage() });
    await expect(cipher.encrypt(content as never, context)).rejects.toThrow(
      new TypeError('the content is no string or Uint8Array'),
    );
  },
);

test('what is added last is sent with, whichever key is derived first', async () => {
  const keys = new KeyRing();
  const importKey = crypto.subtle.importKey.bind(crypto.subtle);
  let letGo = (): void => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  // The first derivation of all begins with this call, and ends after those of the later ones.
  const slow = vi.spyOn(crypto.subtle, 'importKey').mockImplementationOnce(async (...args: unknown[]) => {
    await held;
    return importKey(...(args as Parameters<typeof importKey>));
  });
  try {
    const first = keys.add(A, '1', newSecret());
    await keys.add(A, '1', newSecret());
    const sameEpoch = keys.find(A, '1');
    await keys.add(A, '2', newSecret());
    letGo();
    await first;
    expect(keys.current(A)).toMatchObject({ keyId: '2', key: keys.find(A, '2') });
    expect(keys.find(A, '1')).toBe(sameEpoch);
  } finally {
    slow.mockRestore();
  }
});

test('a message that was moved, renamed or changed does not open', async () => {
  const keys = await ring();
  const secret = newSecret();
  await keys.add(B, '1', secret);
  await keys.add(A, '1', secret);
  const cipher = webCryptoCipher({ keys, storage: memoryStorage() });
  const sealed = await cipher.encrypt(bytes('Hello'), context);
  const wrong = [
    { ...context, conversationId: B },
    { ...context, sender: 'alic' },
    { ...context, messageId: A },
  ];
  for (const each of wrong) await expect(cipher.decrypt(sealed, each)).rejects.toThrow();
  for (let at = 0; at < sealed.ciphertext.length; at++) {
    const ciphertext = sealed.ciphertext.slice();
    ciphertext[at] = (ciphertext[at] ?? 0) ^ 1;
    await expect(cipher.decrypt({ ...sealed, ciphertext }, context)).rejects.toThrow();
  }
  await expect(cipher.decrypt({ ...sealed, ciphertext: new Uint8Array(3) }, context)).rejects.toThrow();
  await expect(cipher.decrypt({ ...sealed, scheme: 'other' }, context)).rejects.toThrow();
  await expect(cipher.decrypt({ ...sealed, keyId: '9' }, context)).rejects.toThrow('no key');
});

test('the same content is never the same bytes', async () => {
  const cipher = webCryptoCipher({ keys: await ring(), storage: memoryStorage() });
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) seen.add(String((await cipher.encrypt(bytes('x'), context)).ciphertext));
  expect(seen.size).toBe(200);
});

test('a key is used so often and no more, over restarts', async () => {
  const keys = await ring();
  const storage = memoryStorage();
  const countKey = `sanctum/encryptions/${A}/1`;
  await storage.transaction((tx) => tx.put(countKey, ENCRYPTIONS_MAX - 2));
  const first = await webCryptoCipher({ keys, storage }).encrypt(bytes('x'), context);
  const written = new BufferedTransaction();
  await first.store?.(written);
  expect(written.finish()).toEqual([[countKey, ENCRYPTIONS_MAX - 1]]);
  await storage.transaction((tx) => first.store?.(tx));
  const cipher = webCryptoCipher({ keys, storage });
  await cipher.encrypt(bytes('x'), context);
  await expect(cipher.encrypt(bytes('x'), context)).rejects.toMatchObject({ code: 'key_exhausted' });
  await keys.add(A, '2', newSecret());
  expect((await cipher.encrypt(bytes('x'), context)).keyId).toBe('2');
});

test('without a key nothing is encrypted', async () => {
  const cipher = webCryptoCipher({ keys: new KeyRing(), storage: memoryStorage() });
  await expect(cipher.encrypt(bytes('x'), context)).rejects.toThrow('no key');
});

test('padding gives the content back, at most 12 % larger above the least size', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (content) => {
      const padded = pad(content);
      expect(unpad(padded)).toEqual(content);
      expect(padded.length).toBeGreaterThanOrEqual(64);
      if (content.length > 64) expect(padded.length).toBeLessThanOrEqual((content.length + 4) * 1.12 + 1);
    }),
  );
  expect([9, 10, 100, 1000, 65_536, 65_537].map(padmeSize)).toEqual([10, 10, 104, 1024, 65_536, 67_584]);
  expect(() => unpad(new Uint8Array([0, 0, 0, 1, 7, 7]))).toThrow();
  expect(() => unpad(new Uint8Array([255, 255, 255, 255]))).toThrow();
  expect(() => unpad(new Uint8Array(2))).toThrow();
});

test('sizes are few', () => {
  const sizes = new Set(Array.from({ length: 60_000 }, (_, length) => padmeSize(length)));
  expect(sizes.size).toBeLessThan(200);
});

test('no two lists of texts have the same canonical bytes', () => {
  const texts = fc.array(fc.string({ maxLength: 3 }), { maxLength: 4 });
  fc.assert(
    fc.property(texts, texts, (a, b) => {
      const same = String(canonicalBytes(...a)) === String(canonicalBytes(...b));
      const well = (list: string[]): string[] => list.map((text) => new TextDecoder().decode(bytes(text)));
      expect(same).toBe(JSON.stringify(well(a)) === JSON.stringify(well(b)));
    }),
  );
});
