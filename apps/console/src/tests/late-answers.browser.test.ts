import type { Route } from '@sanctum/local-servers/browser';
import type { Pod } from '@sanctum/messaging/tests/support/pod';
import { Scene } from '@sanctum/messaging/tests/support/scene';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ConsolePage } from './console-page.ts';

const MESSAGES = 3;

let scene: Scene;
let pod: Pod;
let conversationId: string;
let otherId: string;
let console: ConsolePage;

beforeAll(async () => {
  scene = await Scene.begin();
  pod = await scene.pod();
  conversationId = await scene.conversation(pod, ['ann', 'ben']);
  otherId = await scene.conversation(pod, ['ann', 'ben']);
  await scene.post(pod, 'ann', conversationId, MESSAGES);
  await scene.post(pod, 'ann', otherId);
  console = await ConsolePage.open(pod);
});
afterAll(async () => {
  await console.close();
  await scene.end();
});

/** Lets the service answer, until the page has shown whatever it makes of that. */
async function letGo(route: Route): Promise<void> {
  const { page } = console;
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.request() === route.request()),
    route.continue(),
  ]);
  await answer.finished();
  await page.evaluate(
    () => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))),
  );
}

function refuse(route: Route): Promise<void> {
  return route.fulfill({
    status: 503,
    contentType: 'application/problem+json',
    body: JSON.stringify({ code: 'unavailable' }),
  });
}

it('the figures of one conversation never stand beside the button of another', async () => {
  await console.view('Replay', 'Replay');
  const { page } = console;
  const dryRun = page.getByRole('button', { name: 'Dry run' });
  const estimate = page.locator('.outcome .estimate');
  await page.getByLabel('Conversation').fill(conversationId);
  const { asked } = await console.holdNext('POST', /\/replays$/);
  await dryRun.click();
  const first = await asked;
  await page.getByLabel('Conversation').fill(otherId);
  await letGo(first);
  expect(await estimate.count()).toBe(0);
  await dryRun.click();
  await estimate.waitFor();
  expect(await estimate.textContent()).toContain('1 message (place #1)');
});

it('a job that is started hides none that has ended', async () => {
  const { page } = console;
  const ended = page.getByRole('region', { name: 'Running work' }).getByText('done', { exact: true });
  const dialog = page.getByRole('dialog');
  const replay = async (): Promise<void> => {
    await page.getByRole('button', { name: 'Replay 1 message…' }).click();
    await dialog.getByRole('button', { name: 'Replay 1 message' }).click();
    await dialog.waitFor({ state: 'detached' });
  };
  await replay();
  await ended.waitFor();
  await page.getByRole('button', { name: 'Dry run' }).click();
  const { asked } = await console.holdNext('GET', /\/admin\/v1\/jobs$/);
  await replay();
  const jobs = await asked;
  expect(await ended.count()).toBe(1);
  await letGo(jobs);
  await ended.nth(1).waitFor();
});

it('the actions for one question’s answer are not offered for another question', async () => {
  await scene.sql(
    `UPDATE messaging.message_outbox SET status = 'dead', attempts = 10, last_error = 'refused in a drill'
     WHERE aggregate_id = $1`,
    [otherId],
  );
  await console.view('Dead letters', 'Dead letters');
  const { page } = console;
  const requeue = page.getByRole('button', { name: /^Requeue…|^Requeue all of it…/ });
  await requeue.first().waitFor();
  const { asked } = await console.holdNext('GET', /\/dead-letters\?.*kind=entry/);
  await page.getByRole('button', { name: 'Stream entries' }).click();
  const entries = await asked;
  await page.getByText('Loading…').waitFor();
  expect(await requeue.count()).toBe(0);
  await refuse(entries);
  await page.getByRole('alert').waitFor();
  expect(await requeue.count()).toBe(0);
  await page.getByRole('button', { name: 'Messages' }).click();
  await requeue.first().waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
});

it('what a filter does not change stays while the filtered list loads', async () => {
  const { page } = console;
  const { asked } = await console.holdNext('GET', /\/dead-letters\?.*cause=/);
  const causes = page.getByRole('table', { name: 'Causes' });
  await causes.getByRole('button', { name: 'Show' }).click();
  const letters = await asked;
  await page.getByText('Loading…').waitFor();
  expect(await causes.getByRole('button', { name: 'Show all' }).count()).toBe(1);
  await letGo(letters);
  await page.getByRole('table', { name: 'Dead letters' }).waitFor();
});

it('a chart is empty until the range that is asked for has come', async () => {
  await console.view('Latency and throughput', 'Latency and throughput');
  const { page } = console;
  const chart = page.getByRole('figure', { name: /^Throughput/ });
  const values = chart.locator('.u-legend .u-value');
  await values.first().filter({ hasText: ':' }).waitFor();
  const { asked } = await console.holdNext('GET', /\/history\?minutes=30/);
  await page.getByRole('button', { name: '30 min' }).click();
  const history = await asked;
  await chart.getByText('Loading…').waitFor();
  expect(new Set(await values.allTextContents())).toEqual(new Set(['–']));
  await letGo(history);
  await chart.getByText('Loading…').waitFor({ state: 'detached' });
  expect(await values.first().textContent()).toMatch(/^\d\d:\d\d:\d\d$/);
});

it('a dialog stays until its change is done or has failed', async () => {
  await console.view('Controls', 'Controls');
  const { page } = console;
  await page.getByRole('button', { name: 'Pause delivery…' }).click();
  const dialog = page.getByRole('dialog');
  const cancel = dialog.getByRole('button', { name: 'Cancel' });
  await dialog.getByLabel('Reason').fill('a drill');
  await dialog.getByLabel('Type delivery to confirm').fill('delivery');
  const { asked } = await console.holdNext('PUT', /\/controls$/);
  await page.keyboard.press('Enter');
  const change = await asked;
  await dialog.getByText('Working…').waitFor();
  expect(await cancel.isDisabled()).toBe(true);
  // The browser lets a page keep its dialog at the first one only.
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await refuse(change);
  await dialog.getByRole('alert').waitFor();
  await cancel.click();
  await dialog.waitFor({ state: 'detached' });
});

it('an id that could not be copied says so, and shows itself whole', async () => {
  await scene.connect(pod, 'ben');
  await console.view('Connections', 'Connections');
  const { page } = console;
  const copy = page.getByRole('button', { name: /^Copy / }).first();
  const id = (await copy.getAttribute('aria-label'))?.replace('Copy ', '') ?? '';
  const failed = page.getByText('could not be copied').filter({ hasText: id });
  const copied = copy.locator('.sign-ok');
  await page.evaluate(() =>
    Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true }),
  );
  await copy.click();
  await failed.waitFor();
  expect(await copied.count()).toBe(0);
  await page.evaluate(() =>
    Object.defineProperty(navigator, 'clipboard', {
      value: { writeText: () => Promise.resolve() },
      configurable: true,
    }),
  );
  await copy.click();
  await copied.waitFor();
  expect(await failed.count()).toBe(0);
  await page.evaluate(() =>
    Object.defineProperty(navigator, 'clipboard', {
      value: { writeText: () => Promise.reject(new Error('refused')) },
      configurable: true,
    }),
  );
  await copy.click();
  await failed.waitFor();
  expect(await copied.count()).toBe(0);
  expect(console.wrongs).toEqual([]);
});
