import { connect, memoryStorage, type Client, type Storage } from '@sanctum/client';
import { KeyRing, newSecret, webCryptoCipher } from '@sanctum/client/webcrypto';
import { launchBrowser, type Browser, type BrowserContext, type Page } from '@sanctum/local-servers/browser';
import { build } from 'esbuild';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { eventually } from '../../support/eventually.ts';
import type { Pod } from '../../support/pod.ts';
import { Scene } from '../../support/scene.ts';
import { mintToken } from '../../support/tokens.ts';

const DEVICE = fileURLToPath(
  new URL('../../../../../../packages/client/src/tests/page-device.ts', import.meta.url),
);
// More than one page of history, and more than half of the credit.
const MISSED = 150;

let scene: Scene;
let pod: Pod;
let browser: Browser;
let context: BrowserContext;
let pages: Server;
let alice: Client;
let conversationId: string;
const secret = newSecret();

beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [DEVICE],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  });
  const script = outputFiles[0]!.text;
  pages = createServer((request, response) => {
    const isScript = request.url === '/device.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<!doctype html><script type="module" src="/device.js"></script>');
  });
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
  scene = await Scene.begin();
  pod = await scene.pod({ env: { WEBSOCKET_ALLOWED_ORIGINS: origin() } });
  conversationId = await scene.conversation(pod, ['alice', 'bob']);
  const keys = new KeyRing();
  await keys.add(conversationId, '1', secret);
  const storage = memoryStorage();
  alice = await connect({
    url: pod.httpUrl,
    userId: 'alice',
    token: () => mintToken({ sub: 'alice' }),
    storage,
    cipher: webCryptoCipher({ keys, storage }),
    WebSocket,
  });
  browser = await launchBrowser();
  context = await browser.newContext();
});

afterAll(async () => {
  await browser?.close();
  await alice?.close();
  await scene?.end();
  pages?.close();
});

function origin(): string {
  return `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
}

/** Calls the device of a page: see page-device.ts. */
function call<T>(page: Page, method: string, ...args: unknown[]): Promise<T> {
  return page.evaluate(
    ([name, given]) => {
      const { device } = globalThis as unknown as { device: Record<string, (...all: unknown[]) => unknown> };
      return device[name]?.(...given);
    },
    [method, args] as const,
  ) as Promise<T>;
}

async function openPage(): Promise<Page> {
  const page = await context.newPage();
  await page.goto(origin());
  await page.waitForFunction(() => 'device' in globalThis);
  return page;
}

async function openDevice(page: Page): Promise<void> {
  const token = await mintToken({ sub: 'bob' });
  await call(page, 'open', { url: pod.httpUrl, userId: 'bob', token, conversationId, secret: [...secret] });
}

async function sendAll(texts: readonly string[]): Promise<void> {
  const sent = [];
  for (const text of texts) sent.push(await alice.send(conversationId, text));
  await Promise.all(sent.map(({ settled }) => settled));
}

test('a page receives and sends, is closed, misses more than a page, comes back and has each once', async () => {
  const first = await openPage();
  await openDevice(first);
  await sendAll(['one', 'two', 'three']);
  await eventually(async () => expect(await call(first, 'taken')).toEqual(['one', 'two', 'three']));
  expect(await call(first, 'send', conversationId, 'four')).toEqual({ kind: 'sent', seq: 4 });
  await eventually(async () => expect(await call(first, 'stored')).toHaveLength(4));

  // Another page of the same device would take what is this one's.
  const second = await openPage();
  await expect(openDevice(second)).rejects.toThrow('another page');
  await second.close();

  await first.close();
  const missed = Array.from({ length: MISSED }, (_, n) => `missed ${n}`);
  await sendAll(missed);
  const again = await openPage();
  await openDevice(again);
  await eventually(async () => expect(await call<string[]>(again, 'taken')).toHaveLength(MISSED), 30_000);
  expect(await call(again, 'taken')).toEqual(missed);
  expect(await call(again, 'stored')).toEqual(['one', 'two', 'three', 'four', ...missed]);
  expect(await call(again, 'status')).toBe('online');
});

/** A storage in a page of its own, and how often its database was opened. Each name is of one test. */
async function openStorage(name: string) {
  const page = await openPage();
  await page.evaluate(async (given) => {
    const scope = globalThis as unknown as StoragePage;
    const { indexedDB } = scope;
    const open = indexedDB.open.bind(indexedDB);
    scope.openings = 0;
    indexedDB.open = (...args) => {
      scope.openings++;
      return open(...args);
    };
    scope.storage = await scope.indexedDbStorage(given);
  }, name);
  /** Two at once that write, and one that reads: what is there then. */
  const use = (key: string): Promise<string[]> =>
    page.evaluate(async (given) => {
      const { storage } = globalThis as unknown as StoragePage;
      await Promise.all([
        storage.transaction((tx) => tx.put(`${given}1`, 1)),
        storage.transaction((tx) => tx.put(`${given}2`, 2)),
        storage.entries(''),
      ]);
      return (await storage.entries('')).map(([stored]) => stored);
    }, key);
  const openings = (): Promise<number> =>
    page.evaluate(() => (globalThis as unknown as StoragePage).openings);
  return { page, use, openings };
}

interface StoragePage {
  readonly indexedDbStorage: (name: string) => Promise<Storage>;
  readonly indexedDB: {
    open: (name: string, version?: number) => DatabaseRequest;
    deleteDatabase: (name: string) => DatabaseRequest;
  };
  storage: Storage;
  openings: number;
}

interface DatabaseRequest {
  readonly result: { close(): void };
  addEventListener(name: string, listener: (event: unknown) => void): void;
}

/** From another page, as by whoever looks after the storage of a browser. */
async function deleteDatabase(name: string, leaveVersion?: number): Promise<void> {
  const other = await openPage();
  await other.evaluate(
    async ([given, version]) => {
      const { indexedDB } = globalThis as unknown as StoragePage;
      const answered = (request: DatabaseRequest) =>
        new Promise((resolve, reject) => {
          request.addEventListener('success', resolve);
          for (const bad of ['error', 'blocked']) request.addEventListener(bad, () => reject(new Error(bad)));
        });
      await answered(indexedDB.deleteDatabase(given));
      if (version === undefined) return;
      const request = indexedDB.open(given, version);
      await answered(request);
      request.result.close();
    },
    [name, leaveVersion] as const,
  );
  await other.close();
}

test('a storage whose database another page deletes goes on with an empty one, opened once', async () => {
  const { page, use, openings } = await openStorage('deleted');
  expect(await use('a')).toEqual(['a1', 'a2']);
  await deleteDatabase('sanctum:deleted');
  expect(await use('b')).toEqual(['b1', 'b2']);
  expect(await openings()).toBe(2);

  // What cannot be opened says why, and is tried again with the next use.
  await deleteDatabase('sanctum:deleted', 7);
  await expect(use('c')).rejects.toThrow(/IndexedDB failed: VersionError/);
  await deleteDatabase('sanctum:deleted');
  expect(await use('d')).toEqual(['d1', 'd2']);
  await page.evaluate(() => (globalThis as unknown as StoragePage).storage.close());
  await expect(use('e')).rejects.toThrow('the storage was closed');
  await page.close();
});

test('a storage whose database the browser closes opens it again', async () => {
  const { page, use, openings } = await openStorage('cleared');
  expect(await use('a')).toEqual(['a1', 'a2']);
  const browserSession = await context.newCDPSession(page);
  await browserSession.send('Storage.clearDataForOrigin', { origin: origin(), storageTypes: 'indexeddb' });
  await eventually(async () => expect(await use('b')).toEqual(['b1', 'b2']));
  expect(await openings()).toBe(2);
  await page.close();
});
