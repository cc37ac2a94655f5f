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
