import { launchBrowser, type Browser, type Page } from '@sanctum/local-servers/browser';
import { freePort } from '@sanctum/local-servers';
import type { Pod } from '@sanctum/messaging/tests/support/pod';
import { Scene } from '@sanctum/messaging/tests/support/scene';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Program } from './program.ts';
import { quickStartBlock } from './quick-start-block.ts';

/** Programs and browsers on a busy machine take their time. */
const TIMEOUT_MS = 120_000;

let scene: Scene;
let pod: Pod;
let browser: Browser;
const servers: Program[] = [];
const folder = mkdtempSync(`${import.meta.dirname}/../.quick-start-`);

beforeAll(async () => {
  scene = await Scene.begin();
  pod = await scene.pod();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await Promise.all(servers.map((server) => server.end()));
  await scene?.end();
  rmSync(folder, { recursive: true });
});

/** Serves a page as the example's README and the quick start say; the links that it prints. */
async function serve(...args: string[]): Promise<Record<'alice' | 'bob', string>> {
  const env = { SANCTUM_URL: pod.httpUrl, PORT: String(await freePort()) };
  const server = new Program('examples/browser-page/serve.ts', { args, env });
  servers.push(server);
  const [, alice = '', bob = ''] = await server.printed(/^alice: (.+)\nbob: (.+)$/m);
  return { alice, bob };
}

/** A home of their own each: two people, two browsers. The first token that a page asks for is not there yet. */
async function open(link: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  await page.route('**/token?*', (route) => route.fulfill({ status: 502, body: 'Bad gateway' }), {
    times: 1,
  });
  await page.goto(link);
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

function shown(page: Page): Promise<string[]> {
  return page.getByRole('listitem').allTextContents();
}

test('two people chat in two browsers; one reloads and loses nothing', { timeout: TIMEOUT_MS }, async () => {
  const links = await serve();
  const [alice, bob] = [await open(links.alice), await open(links.bob)];
  await say(alice, 'Hello, Bob.');
  await bob.getByText('alice: Hello, Bob.').waitFor();
  await say(bob, 'Hello, Alice.');
  await alice.getByText('bob: Hello, Alice.').waitFor();

  await bob.goto('about:blank');
  await say(alice, 'Are you still there?');
  await alice.locator('li:not(.waiting)', { hasText: 'still there' }).waitFor();
  await bob.goto(links.bob);
  await bob.getByText('alice: Are you still there?').waitFor();
  const all = ['alice: Hello, Bob.', 'bob: Hello, Alice.', 'alice: Are you still there?'];
  expect(await shown(bob)).toEqual(all);
  expect(await shown(alice)).toEqual(all);
  const rows = await scene.sql('SELECT payload::text AS text FROM messaging.message_outbox');
  expect(rows.length).toBeGreaterThanOrEqual(3);
  expect(JSON.stringify(rows)).not.toContain('Hello');
});

test(
  'what was not taken stays in the field; what waits is shown after a reload, too',
  { timeout: TIMEOUT_MS },
  async () => {
    const links = await serve();
    const alice = await open(links.alice);
    await alice.getByText('alice is online').waitFor();
    await alice.evaluate(fillStorage, true);
    await say(alice, 'Do not lose me.');
    await alice.getByText(/^This was not sent: /).waitFor();
    expect(await alice.getByLabel('Message', { exact: true }).inputValue()).toBe('Do not lose me.');
    expect(await shown(alice)).toEqual([]);

    await alice.evaluate(fillStorage, false);
    const isService = (url: URL) => url.pathname.startsWith('/v1/');
    await alice.route(isService, (route) => route.abort());
    await alice.getByRole('button', { name: 'Send' }).click();
    const waiting = alice.locator('li.waiting', { hasText: 'alice: Do not lose me.' });
    await waiting.waitFor();
    await expect.poll(() => alice.getByLabel('Message', { exact: true }).inputValue()).toBe('');
    await alice.reload();
    await waiting.waitFor();
    await alice.unroute(isService);
    await alice.locator('li:not(.waiting)', { hasText: 'alice: Do not lose me.' }).waitFor();
    expect(await shown(alice)).toEqual(['alice: Do not lose me.']);
  },
);

test('the quick start: a chat in the browser', { timeout: TIMEOUT_MS }, async () => {
  for (const file of ['index.html', 'chat.js']) writeFileSync(`${folder}/${file}`, quickStartBlock(file));
  const links = await serve(folder);
  const [alice, bob] = [await open(links.alice), await open(links.bob)];
  await say(alice, 'Hello from the page.');
  await bob.getByText('alice: Hello from the page.').waitFor();
  expect(await shown(alice)).toEqual(['alice: Hello from the page.']);
});

/** Runs in the page: while it is full, its storage takes nothing. */
function fillStorage(isFull: boolean): void {
  const { prototype } = (globalThis as unknown as { IDBObjectStore: { prototype: Puts } }).IDBObjectStore;
  prototype.realPut ??= prototype.put;
  prototype.put = isFull
    ? () => {
        throw new Error('the disk is full');
      }
    : prototype.realPut;
}

interface Puts {
  put: () => void;
  realPut?: () => void;
}
