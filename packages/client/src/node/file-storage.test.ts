import fc from 'fast-check';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { fileStorage } from './file-storage.ts';

const folder = mkdtempSync(join(tmpdir(), 'sanctum-storage-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
let path = '';
beforeEach(() => {
  path = join(folder, `made/${++files}.sanctum`);
});

test('keeps what was committed, in the order of the keys', async () => {
  const storage = await fileStorage(path);
  await storage.transaction(async (tx) => {
    await tx.put('b/2', { deep: [1, null, 'ä\n'] });
    await tx.put('b/1', 1);
    await tx.put('c', true);
  });
  await storage.transaction((tx) => tx.delete('c'));
  await storage.close();
  const again = await fileStorage(path);
  expect(await again.entries('b/')).toEqual([
    ['b/1', 1],
    ['b/2', { deep: [1, null, 'ä\n'] }],
  ]);
  expect(await again.entries('')).toHaveLength(2);
  await again.close();
  await again.close();
  await expect(again.transaction((tx) => tx.put('x', 1))).rejects.toMatchObject({ code: 'closed' });
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('what failed is not there, and what is written too late is told', async () => {
  const storage = await fileStorage(path);
  let late: () => unknown = () => undefined;
  await storage.transaction((tx) => {
    late = () => tx.put('late', 1);
  });
  expect(late).toThrow('awaited');
  const failing = storage.transaction(async (tx) => {
    await tx.put('x', 1);
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  await expect(storage.transaction((tx) => tx.put('x', undefined))).rejects.toThrow(TypeError);
  expect(await storage.entries('')).toEqual([]);
  await storage.close();
});

test('cut off at any byte it holds the transactions before, whole', async () => {
  const storage = await fileStorage(path);
  for (let n = 1; n <= 12; n++) {
    await storage.transaction(async (tx) => {
      await tx.put('cursor', n);
      await tx.put(`message/${String(n).padStart(2, '0')}`, `text ${n}`);
    });
  }
  await storage.close();
  const whole = readFileSync(path);
  const begin = whole.indexOf(0x0a) + 1;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: begin, max: whole.length }), fc.boolean(), async (length, zeros) => {
      const copy = `${path}.copy`;
      copyFileSync(path, copy);
      truncateSync(copy, length);
      // A file system may also leave zeros where the bytes never came.
      if (zeros) appendFileSync(copy, Buffer.alloc(50));
      const torn = await fileStorage(copy);
      const cursor = Number((await torn.entries('cursor'))[0]?.[1] ?? 0);
      expect(await torn.entries('message/')).toHaveLength(cursor);
      await torn.transaction((tx) => tx.put('after', cursor));
      await torn.close();
      const again = await fileStorage(copy);
      expect(await again.entries('after')).toEqual([['after', cursor]]);
      await again.close();
    }),
    { numRuns: 20 },
  );
});

test('damage in the middle is told, never passed over', async () => {
  const storage = await fileStorage(path);
  for (let n = 1; n <= 3; n++) await storage.transaction((tx) => tx.put('cursor', n));
  await storage.close();
  const bytes = readFileSync(path);
  bytes[bytes.indexOf(0x0a) + 12] = 0x58;
  writeFileSync(path, bytes);
  await expect(fileStorage(path)).rejects.toMatchObject({ code: 'storage_failed' });
  writeFileSync(path, 'a letter to my mother\n');
  await expect(fileStorage(path)).rejects.toThrow('no storage');
});

test('does not grow with the past', async () => {
  const storage = await fileStorage(path);
  const text = 'x'.repeat(80_000);
  for (let n = 1; n <= 50; n++) await storage.transaction((tx) => tx.put('cursor', { n, text }));
  await storage.transaction((tx) => tx.put('last', 1));
  expect(statSync(path).size).toBeLessThan(1_200_000);
  await storage.close();
  const again = await fileStorage(path);
  expect((await again.entries('cursor'))[0]?.[1]).toMatchObject({ n: 50 });
  expect(await again.entries('last')).toHaveLength(1);
  await again.close();
});

test('transactions that come together are all there', async () => {
  const storage = await fileStorage(path);
  await Promise.all(Array.from({ length: 100 }, (_, n) => storage.transaction((tx) => tx.put(`k/${n}`, n))));
  await storage.close();
  const again = await fileStorage(path);
  expect(await again.entries('k/')).toHaveLength(100);
  await again.close();
});

test('closed twice, each of the two waits until it is closed', async () => {
  const storage = await fileStorage(path);
  let isClosed = false;
  const first = storage.close().then(() => (isClosed = true));
  await storage.close();
  expect(isClosed).toBe(true);
  await first;
});

test('is for one process at a time; what a dead one left is taken over', async () => {
  const storage = await fileStorage(path);
  await expect(fileStorage(path)).rejects.toMatchObject({ code: 'storage_failed' });
  await storage.close();
  writeFileSync(`${path}.lock`, String(2 ** 22 + 7));
  await (await fileStorage(path)).close();
  // A container gives each start the same pid.
  writeFileSync(`${path}.lock`, String(process.pid));
  await (await fileStorage(path)).close();
  // A pid is used again, by another process: this one began at another moment.
  writeFileSync(`${path}.lock`, `${process.ppid} 1`);
  await (await fileStorage(path)).close();
  writeFileSync(`${path}.lock`, '1');
  await expect(fileStorage(path)).rejects.toThrow('process 1');
  expect(readdirSync(dirname(path)).filter((name) => name.startsWith(`${files}.sanctum.lock.`))).toEqual([]);
});

test('of many who open it at once, over the lock of a dead process, one gets it', async () => {
  for (let round = 0; round < 10; round++) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.lock`, `${2 ** 22 + 7} 1`);
    const opened = await Promise.allSettled(Array.from({ length: 6 }, () => fileStorage(path)));
    const storages = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(storages).toHaveLength(1);
    await storages[0]?.close();
  }
});

interface Handles {
  write: (this: this, bytes: Buffer, offset: number, length: number, at: number) => Promise<object>;
  sync: (this: this) => Promise<void>;
}

/** What every file handle of this process inherits. */
async function fileHandles(): Promise<Handles> {
  const probe = await open(tmpdir(), 'r');
  await probe.close();
  return Object.getPrototypeOf(probe) as Handles;
}

test('a disk that takes only a part of a write loses nothing that was confirmed', async () => {
  const storage = await fileStorage(path);
  const handles = await fileHandles();
  const { write } = handles;
  vi.spyOn(handles, 'write').mockImplementationOnce(function (this: Handles, bytes, offset, _length, at) {
    return write.call(this, bytes, offset, 5, at);
  });
  await storage.transaction((tx) => tx.put('cursor', 1));
  vi.spyOn(handles, 'write').mockRejectedValueOnce(new Error('ENOSPC'));
  await expect(storage.transaction((tx) => tx.put('cursor', 2))).rejects.toMatchObject({
    code: 'storage_failed',
  });
  await storage.transaction((tx) => tx.put('after', 3));
  await storage.close();
  vi.restoreAllMocks();
  const again = await fileStorage(path);
  expect(await again.entries('')).toEqual([
    ['after', 3],
    ['cursor', 1],
  ]);
  await again.close();
});

test('what a power failure leaves of transactions that were written together is no damage', async () => {
  const storage = await fileStorage(path);
  await storage.transaction((tx) => tx.put('before', 1));
  await Promise.all([1, 2, 3, 4].map((n) => storage.transaction((tx) => tx.put(`k/${n}`, 'x'.repeat(3000)))));
  await storage.close();
  const whole = readFileSync(path);
  // The first went alone.
  const last = whole.lastIndexOf(0x0a, -2) + 1;
  expect(whole.length - last).toBeGreaterThan(9000);
  for (let page = last; page < whole.length; page += 1000) {
    // This page never came to the disk, all others did.
    writeFileSync(path, Buffer.from(whole).fill(0, page, Math.min(page + 1000, whole.length)));
    const torn = await fileStorage(path);
    expect(await torn.entries('before')).toHaveLength(1);
    await torn.close();
  }
});

test('a compaction whose folder cannot be synced confirms nothing more, and loses nothing', async () => {
  const storage = await fileStorage(path);
  const text = 'x'.repeat(300_000);
  const handles = await fileHandles();
  const { sync } = handles;
  let syncs = 0;
  vi.spyOn(handles, 'sync').mockImplementation(async function (this: Handles) {
    if (++syncs === 2) throw new Error('EIO');
    await sync.call(this);
  });
  let n = 0;
  while (syncs < 2 && n < 10) {
    n++;
    await storage.transaction((tx) => tx.put('a', { n, text }));
  }
  vi.restoreAllMocks();
  expect(syncs).toBe(2);
  await expect(storage.transaction((tx) => tx.put('c', 1))).rejects.toMatchObject({ code: 'storage_failed' });
  await storage.close();
  const again = await fileStorage(path);
  expect(await again.entries('')).toEqual([['a', { n, text }]]);
  await again.close();
});

test('a value that is no JSON fails alone, and what is stored is nobody else’s to change', async () => {
  const storage = await fileStorage(path);
  const kept = { n: 1 };
  const all = await Promise.allSettled([
    storage.transaction((tx) => tx.put('good', kept)),
    storage.transaction((tx) => tx.put('bad', { n: 1n })),
    storage.transaction((tx) => tx.put('fine', 2)),
  ]);
  kept.n = 2;
  expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(await storage.entries('')).toEqual([
    ['fine', 2],
    ['good', { n: 1 }],
  ]);
  await storage.close();
});
