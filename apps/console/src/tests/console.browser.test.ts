import { eventually } from '@sanctum/messaging/tests/support/eventually';
import type { Pod } from '@sanctum/messaging/tests/support/pod';
import { Scene, STREAM } from '@sanctum/messaging/tests/support/scene';
import type { TestClient } from '@sanctum/messaging/tests/support/test-client';
import { mintToken } from '@sanctum/messaging/tests/support/tokens';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConsolePage } from './console-page.ts';

let scene: Scene;
let pod: Pod;
let ben: TestClient;
let conversationId: string;
let console: ConsolePage;

beforeAll(async () => {
  scene = await Scene.begin();
  pod = await scene.pod();
  conversationId = await scene.conversation(pod, ['ann', 'ben']);
  ben = await scene.connect(pod, 'ben');
  console = await ConsolePage.open(pod);
});
afterAll(async () => {
  await console.close();
  await scene.end();
});

describe('login', () => {
  it('says what is wrong with a token, and takes a good one', async () => {
    const visitor = await ConsolePage.visit(pod.adminUrl);
    const { page } = visitor;
    const tryToken = async (token: string, answer: string): Promise<void> => {
      await page.getByLabel('Token').fill(token);
      await page.keyboard.press('Enter');
      await page.getByRole('alert').getByText(answer).waitFor();
    };
    await tryToken('not.a.token', 'not valid here');
    await tryToken(await mintToken({ sub: 'ann' }), 'messaging:operate');
    await page.getByLabel('Token').fill(await mintToken({ sub: 'ola@ops', scope: 'messaging:operate' }));
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('Logged in as ola@ops').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    expect(visitor.wrongs).toEqual([]);
    await visitor.close();
  });

  it('by a link leaves the token in no address, and outlives a reload', async () => {
    expect(console.page.url()).not.toContain('token');
    expect(console.addresses.filter((address) => address.includes('token'))).toEqual([]);
    await console.page.reload();
    await console.page.getByText('Logged in as ola@ops').waitFor();
  });
});

it('opens on the pipeline as the runbook draws it, and its figures are live', async () => {
  const stages = await console.page.locator('[data-stage] h3').allTextContents();
  expect(stages.join(' → ')).toBe(
    'HTTP POST → Outbox → Dispatcher → Redis Stream → Consumer → WebSocketHub → Clients',
  );
  await eventually(async () => {
    await scene.post(pod, 'ann', conversationId);
    const rate = await console.page.locator('[data-stage=intake] .rate span').textContent();
    expect(Number(rate)).toBeGreaterThan(0);
  });
  await console.page.getByText('Everything works').waitFor();
});

it('a view takes the focus as it appears, never from a field that somebody is in already', async () => {
  await console.view('Replay', 'Replay');
  const focused = await console.page.evaluate(async () => {
    const title = document.querySelector('h1')!;
    const appeared = new Promise<void>((resolve) => {
      const look = () => {
        if (title.textContent === 'Trace a message') resolve();
      };
      new MutationObserver(look).observe(title, { characterData: true, childList: true, subtree: true });
    });
    const link = document.querySelector<HTMLElement>('a[href="#/trace"]')!;
    link.focus();
    link.click();
    await appeared;
    return document.activeElement?.id;
  });
  expect(focused).toBe('main');
});

it('a link that is followed the moment it is there leads to its view', async () => {
  const { page } = console;
  await page.addInitScript(() => {
    const appeared = new MutationObserver(() => {
      const link = document.querySelector<HTMLElement>('a[href="#/audit"]');
      if (link === null) return;
      appeared.disconnect();
      link.click();
    });
    appeared.observe(document, { childList: true, subtree: true });
  });
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Audit' }).waitFor();
});

it('a consumer of somebody else’s group is no pod that is missed', async () => {
  await scene.redis.xgroup('CREATE', STREAM, 'theirs', '$');
  await scene.redis.xgroup('CREATECONSUMER', STREAM, 'theirs', 'analytics-1');
  await console.view('Consumers', 'Consumers');
  await console.page.getByRole('row', { name: /^analytics-1/ }).waitFor();
  expect(await console.page.getByText('its pod lives').count()).toBe(1);
  expect(await console.page.getByText('its pod is gone').count()).toBe(0);
});

it('a stage is paused when its name was typed, and resumed', async () => {
  await console.view('Controls', 'Controls');
  const { page } = console;
  await page.getByRole('button', { name: 'Pause consumer…' }).click();
  const dialog = page.getByRole('dialog');
  const act = dialog.getByRole('button', { name: 'Pause consumer' });
  await dialog.getByLabel('Reason').fill('a drill');
  expect(await act.isDisabled()).toBe(true);
  await dialog.getByLabel('Type consumer to confirm').fill('consumer');
  await page.keyboard.press('Enter');
  await page.getByText('Paused: Consumer').waitFor();
  await page.getByRole('button', { name: 'Resume consumer…' }).click();
  await dialog.getByLabel('Reason').fill('the drill is over');
  await page.keyboard.press('Enter');
  await page.getByText('Everything works').waitFor();
});

it('Escape changes nothing', async () => {
  const { page } = console;
  await page.getByRole('button', { name: 'Pause delivery…' }).click();
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Pause delivery…' }).waitFor();
});

it('a revoked user’s connection closes', async () => {
  await console.view('Revocation', 'Revocation');
  const { page } = console;
  await page.getByLabel('User id').fill('ben');
  await page.getByRole('button', { name: 'Revoke…' }).click();
  await page.getByLabel('Type ben to confirm').fill('ben');
  await page.keyboard.press('Enter');
  await page.getByText('Revoked ben.').waitFor();
  await eventually(() => expect(ben.received.close?.code).toBe(4503));
});

it('the audit has all of it, with who and why; the page has broken no rule', async () => {
  await console.view('Audit', 'Audit');
  const rows = console.page.getByRole('row').filter({ hasText: 'ola@ops' });
  for (const action of ['pause', 'resume', 'revoke'])
    await rows.filter({ hasText: action }).first().waitFor();
  await rows.filter({ hasText: 'the drill is over' }).first().waitFor();
  expect(console.wrongs).toEqual([]);
});
