import { launchBrowser, type Browser, type Page } from '@sanctum/local-servers/browser';
import { freePort } from '@sanctum/local-servers';
import type { Pod } from '@sanctum/messaging/tests/support/pod';
import { Scene } from '@sanctum/messaging/tests/support/scene';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Program } from './program.ts';

let scene: Scene;
let pod: Pod;
let browser: Browser;
let server: Program;

beforeAll(async () => {
  scene = await Scene.begin();
  pod = await scene.pod();
  const env = { SANCTUM_URL: pod.httpUrl, PORT: String(await freePort()) };
  server = new Program('examples/browser-page/serve.ts', { env });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.end();
  await scene?.end();
});

async function open(user: string): Promise<Page> {
  const [, link = ''] = await server.printed(new RegExp(`^${user}: (.+)$`, 'm'));
  // A home of their own each: two people, two browsers.
  const page = await (await browser.newContext()).newPage();
  await page.goto(link);
  await page.getByText(`${user} is online`).waitFor();
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

function shown(page: Page): Promise<string[]> {
  return page.getByRole('listitem').allTextContents();
}

test('two people chat in two browsers; one reloads and loses nothing', async () => {
  const alice = await open('alice');
  const bob = await open('bob');
  await say(alice, 'Hello, Bob.');
  await bob.getByText('alice: Hello, Bob.').waitFor();
  await say(bob, 'Hello, Alice.');
  await alice.getByText('bob: Hello, Alice.').waitFor();

  await bob.goto('about:blank');
  await say(alice, 'Are you still there?');
  await alice.locator('li:not(.waiting)', { hasText: 'still there' }).waitFor();
  const [, link = ''] = await server.printed(/^bob: (.+)$/m);
  await bob.goto(link);
  await bob.getByText('alice: Are you still there?').waitFor();
  const all = ['alice: Hello, Bob.', 'bob: Hello, Alice.', 'alice: Are you still there?'];
  expect(await shown(bob)).toEqual(all);
  expect(await shown(alice)).toEqual(all);
  const rows = await scene.sql('SELECT payload::text AS text FROM messaging.message_outbox');
  expect(rows.length).toBeGreaterThanOrEqual(3);
  expect(JSON.stringify(rows)).not.toContain('Hello');
});
