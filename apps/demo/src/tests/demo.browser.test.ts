import { freePort } from '@sanctum/local-servers';
import { type Browser, launchBrowser } from '@sanctum/local-servers/browser';
import { Scene } from '@sanctum/messaging/tests/support/scene';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accessibilityFaults, tabOrder } from './accessibility.ts';
import { DemoPage } from './demo-page.ts';
import { RecordingProxy } from './recording-proxy.ts';

const BUILT = fileURLToPath(new URL('../../dist', import.meta.url));
/** Of all that the page loads; docs/demo.md says so. */
const GZIP_MAX_BYTES = 34 * 1024;
/** What is shorter may stand in ciphertext by chance. */
const CERTAIN_CHARS = 7;
const MISSED = Array.from({ length: 500 }, (_, index) => `${index + 1} of 500`);

let scene: Scene;
let proxy: RecordingProxy;
let pod: Awaited<ReturnType<Scene['podProcess']>>;
let browser: Browser;
let demo: DemoPage;
/** What no server may ever see, as it was typed. */
const secrets: string[] = [];

beforeAll(async () => {
  scene = await Scene.begin();
  proxy = await RecordingProxy.start();
  proxy.targetPort = await freePort();
  pod = await startPod();
  browser = await launchBrowser();
  demo = await DemoPage.open(browser, `${proxy.url}/demo`);
});
afterAll(async () => {
  await browser?.close();
  proxy?.stop();
  await scene?.end();
});

function startPod() {
  return scene.podProcess({ HTTP_PORT: String(proxy.targetPort), DEMO_TOKENS: 'true', NODE_ENV: 'test' });
}

async function write(name: string, text: string): Promise<void> {
  secrets.push(text);
  await demo.person(name).write(text);
}

it('the first view says what it is', async () => {
  await demo.page.getByText('all that the server between them sees of each message is ciphertext').waitFor();
});

it('two people write, hear that they were read, and see what is unread', async () => {
  const [ada, ben] = [demo.person('Ada'), demo.person('Ben')];
  await ada.until('Online');
  await write('Ada', 'Shall we walk up the hill on Saturday?');
  await ben.sees('Shall we walk up the hill on Saturday?');
  await write('Ben', 'Yes! I bring the tea.');
  await ada.sees('Yes! I bring the tea.');
  await expect.poll(() => ben.pane.locator('.own .meta').textContent()).toMatch(/Read$/);

  await ben.press('Work');
  await write('Ada', 'And who brings the cake?');
  await ben.pane.getByRole('button', { name: 'Weekend 1 unread' }).waitFor();
  await expect.poll(() => ada.pane.locator('.own .meta').last().textContent()).toMatch(/Delivered$/);
  await ben.press('Weekend 1 unread');
  await expect.poll(() => ada.pane.locator('.own .meta').last().textContent()).toMatch(/Read$/);
});

it('the pane between them shows ciphertext of each, receipts too', async () => {
  const rows = demo.page.getByRole('region', { name: 'Messages on the server' }).getByRole('listitem');
  await rows.filter({ hasText: 'Ada: And who brings the cake?' }).waitFor();
  await rows
    .filter({ hasText: /Ben has received up to #\d+, read up to #\d+/ })
    .first()
    .waitFor();
  for (const text of await rows.locator('.ciphertext').allTextContents()) {
    expect(text).toMatch(/^[A-Za-z0-9+/]{100,}={0,2}$/);
  }
  await demo.picture('chat');
  expect(await demo.layoutShift()).toBeLessThan(0.05);
});

it('the keyboard reaches everything, in the order in which it stands there', async () => {
  expect(await tabOrder(demo.page, 9)).toEqual([
    ...['Go offline', 'Kill', 'Weekend', 'Work', 'New…', 'Invite…'],
    ...['Weekend: messages', 'Ada writes in Weekend', 'Send 500 at once'],
  ]);
  await demo.page.keyboard.press('Shift+Tab');
  secrets.push('Typed without a mouse.');
  await demo.page.keyboard.type('Typed without a mouse.');
  await demo.page.keyboard.press('Enter');
  await demo.person('Ben').sees('Typed without a mouse.');
});

it('is accessible, light and dark', async () => {
  const { page } = demo;
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await accessibilityFaults(page), colorScheme).toEqual([]);
  }
  await demo.person('Ada').press('Invite…');
  await page.getByRole('dialog').waitFor();
  expect(await accessibilityFaults(page), 'dialog').toEqual([]);
  await page.keyboard.press('Escape');
});

it('on a small screen one pane stands at a time, and what is not seen is not read', async () => {
  const { page } = demo;
  await page.setViewportSize({ width: 390, height: 780 });
  const [ada, ben] = [demo.person('Ada'), demo.person('Ben')];
  await ben.pane.waitFor({ state: 'hidden' });
  await write('Ada', 'Is anybody looking?');
  const tab = page.getByRole('navigation', { name: 'Panes' }).getByRole('button', { name: 'Ben 1 unread' });
  await tab.waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  expect(await accessibilityFaults(page)).toEqual([]);
  await demo.picture('narrow', { width: 390, height: 780 });
  await tab.click();
  await ben.sees('Is anybody looking?');
  await ada.pane.waitFor({ state: 'hidden' });
  await page.setViewportSize({ width: 1360, height: 860 });
  await expect.poll(() => ada.pane.locator('.own .meta').last().textContent()).toMatch(/Read$/);
});

it(
  'who was offline has 500 missed ones in order, whatever was killed meanwhile: the server, then the device',
  { timeout: 180_000 },
  async () => {
    const [ada, ben] = [demo.person('Ada'), demo.person('Ben')];
    const before = await ben.texts();
    const secondTab = await demo.page.context().newPage();
    await secondTab.goto(demo.page.url());
    await ben.press('Go offline');
    await ben.until('Offline');
    await ada.press('Send 500 at once');
    await ada.sees(MISSED.at(-1)!);
    await write('Ben', 'Written without a network.');
    await pod.kill('SIGKILL');
    await demo.picture('offline', { dark: true, width: 1180, height: 640 });
    pod = await startPod();
    await ada.pane.locator('.waiting').first().waitFor({ state: 'detached', timeout: 120_000 });
    await ben.press('Go online');
    // Ended in the middle of what it missed, and of what it had to send.
    await ben.pane
      .locator('.message .text', { hasText: / of 500$/ })
      .first()
      .waitFor();
    await ben.press('Kill');
    await ben.press('Bring back');
    await ada.sees('Written without a network.');
    await ben.sees(MISSED.at(-1)!);
    const expected = [...before, ...MISSED, 'Written without a network.'];
    expect(await ben.texts()).toEqual(expected);
    expect(await ada.texts()).toEqual(expected);

    // A second one of the same devices would have taken what was theirs.
    await secondTab.getByRole('alert').getByText('another page has this device open').first().waitFor();
    await secondTab.getByRole('button', { name: 'Invite…' }).click();
    await secondTab.getByRole('button', { name: 'Make a link' }).click();
    await secondTab.getByRole('dialog').getByText('another page has this device open').waitFor();
    await secondTab.close();
  },
);

it('a device that is dead misses nothing', async () => {
  const ben = demo.person('Ben');
  const before = await ben.texts();
  await ben.press('Kill');
  await ben.until('Killed');
  await write('Ada', 'Are you still there?');
  await ben.press('Bring back');
  await ben.sees('Are you still there?');
  expect(await ben.texts()).toEqual([...before, 'Are you still there?']);
});

it('a device that is dead invites nobody', async () => {
  const ada = demo.person('Ada');
  await ada.press('Kill');
  await ada.until('Killed');
  await ada.press('Invite…');
  const dialog = demo.page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Make a link' }).click();
  await dialog.getByText('the device was killed').waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await ada.press('Bring back');
  await ada.until('Online');
});

it('a conversation can be made, with a key of its own', async () => {
  const [ada, ben] = [demo.person('Ada'), demo.person('Ben')];
  await ada.press('New…');
  await demo.page.getByRole('dialog').getByLabel('Its name').fill('Mountain hut');
  await demo.page.keyboard.press('Enter');
  await write('Ada', 'This one is about the hut.');
  await ben.press('Mountain hut 1 unread');
  await ben.sees('This one is about the hut.');
  for (const person of [ada, ben]) await person.press('Weekend');
});

it('a link brings somebody in from another browser', async () => {
  const ada = demo.person('Ada');
  await ada.press('Invite…');
  const dialog = demo.page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Make a link' }).click();
  const link = await dialog.getByLabel('Link for Cleo').inputValue();
  await dialog.getByRole('button', { name: 'Close' }).click();
  const other = await DemoPage.open(browser, link);
  const cleo = other.person('Cleo');
  await cleo.until('Online');
  await write('Ada', 'Welcome, whoever you are.');
  await cleo.sees('Welcome, whoever you are.');
  secrets.push('Greetings from elsewhere.');
  await cleo.write('Greetings from elsewhere.');
  await demo.person('Ben').sees('Greetings from elsewhere.');
  expect(other.wrongs).toEqual([]);
  await other.page.context().close();
});

it('no byte that a page sent holds a text, a name or a key', async () => {
  const sent = proxy.sent();
  // The recording is one: it has what is meant to be sent.
  for (const known of ['POST /demo/token', '"ciphertext":"', '"type":"hello"', '"type":"ack"']) {
    expect(sent.includes(known), known).toBe(true);
  }
  const { conversations } = JSON.parse(await demo.kept()) as {
    conversations: { title: string; secret: string }[];
  };
  const keys = conversations.map(({ secret }) => Buffer.from(secret, 'base64'));
  expect(keys.map((key) => key.length)).toEqual([32, 32, 32]);
  const titles = conversations.map(({ title }) => title).filter(({ length }) => length >= CERTAIN_CHARS);
  expect(titles).toEqual(['Weekend', 'Mountain hut']);
  const plain = [...secrets, MISSED[0]!, ...titles].map((text) => Buffer.from(text));
  for (const bytes of [...plain, ...keys]) {
    for (const form of [bytes, Buffer.from(bytes.toString('hex')), ...inBase64(bytes)]) {
      expect(sent.includes(form), `${bytes.toString()} as ${form.toString()}`).toBe(false);
    }
  }
  expect(demo.wrongs).toEqual([]);
});

it('who starts over has other people, keys and conversations', async () => {
  const { page } = demo;
  const before = await demo.kept();
  page.once('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Start over' }).click();
  await demo.person('Ada').pane.getByText('No messages yet').waitFor();
  await demo.person('Ada').until('Online');
  expect(await demo.kept()).not.toBe(before);
  const names = await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
  expect(names.filter((name) => before.includes(name?.replace('sanctum:', '') ?? 'none'))).toEqual([]);
});

it('is small, and was built for others to look at', () => {
  const files = readdirSync(BUILT).map((name) => readFileSync(path.join(BUILT, name)));
  expect(files.reduce((sum, file) => sum + gzipSync(file).length, 0)).toBeLessThan(GZIP_MAX_BYTES);
  // A build for development names the folders of whoever built it.
  expect(files.filter((file) => file.includes('demo/src'))).toEqual([]);
});

/** How bytes look in base64, whatever stands before them. */
function inBase64(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    // Without the characters that also depend on what stands before and behind.
    const own = text
      .slice(shift === 0 ? 0 : shift + 1)
      .replace(/.?=+$/, '')
      .slice(0, -1);
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
}
