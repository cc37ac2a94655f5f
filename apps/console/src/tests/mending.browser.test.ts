import { eventually } from '@sanctum/messaging/tests/support/eventually';
import type { Pod } from '@sanctum/messaging/tests/support/pod';
import { Scene } from '@sanctum/messaging/tests/support/scene';
import type { TestClient } from '@sanctum/messaging/tests/support/test-client';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ConsolePage } from './console-page.ts';

/** What no page may show: the content of every message here, as it is on the wire. */
const CIPHERTEXT = Buffer.from('nobody but ann and ben reads this').toString('base64');
const MESSAGES = 5;

let scene: Scene;
let pod: Pod;
let ben: TestClient;
let conversationId: string;
let messageIds: string[];
let console: ConsolePage;

beforeAll(async () => {
  scene = await Scene.begin();
  pod = await scene.pod();
  conversationId = await scene.conversation(pod, ['ann', 'ben']);
  ben = await scene.connect(pod, 'ben');
  messageIds = [];
  for (let i = 0; i < MESSAGES; i++)
    messageIds.push(await scene.insert(conversationId, { ciphertext: CIPHERTEXT, sender: 'ann' }));
  await ben.untilMessages(conversationId, MESSAGES);
  console = await ConsolePage.open(pod);
});
afterAll(async () => {
  await console.close();
  await scene.end();
});

/** The places that ben has got again. */
function replayed(): number[] {
  const messages = ben.received.messagesOf(conversationId);
  return messages.filter(({ replay }) => replay > 0).map(({ seq }) => seq);
}

it('a dead letter is requeued, and its reader gets it', async () => {
  await scene.sql(
    `UPDATE messaging.message_outbox SET status = 'dead', attempts = 10, last_error = 'refused in a drill'
     WHERE message_id = $1`,
    [messageIds[0]],
  );
  await console.view('Dead letters', 'Dead letters');
  const { page } = console;
  await page.getByRole('cell', { name: 'refused in a drill' }).first().waitFor();
  await page.getByRole('button', { name: 'Requeue…', exact: true }).click();
  await page.getByText('1 message (place #1) of 1 conversation').waitFor();
  await page.getByRole('button', { name: 'Requeue 1 message' }).click();
  await eventually(() => expect(replayed()).toEqual([1]));
  await page.getByRole('region', { name: 'Running work' }).getByText('done').waitFor();
  await page.getByText('Nothing had to be given up').waitFor();
  await page.getByLabel('Conversation').fill(randomUUID());
  await page.keyboard.press('Enter');
  await page.getByText('None matches.').waitFor();
});

it('a conversation is replayed only after the page has said what that touches', async () => {
  const before = replayed().length;
  await console.view('Replay', 'Replay');
  const { page } = console;
  await page.getByLabel('Conversation').fill(conversationId);
  await page.getByRole('button', { name: 'Dry run' }).click();
  const estimate = page.locator('.outcome .estimate');
  await estimate.waitFor();
  expect(await estimate.textContent()).toContain('5 messages (places #1 to #5) of 1 conversation');
  expect(await estimate.textContent()).toContain('1 client.');
  expect(replayed()).toHaveLength(before);
  await page.getByRole('button', { name: 'Replay 5 messages…' }).click();
  await scene.insert(conversationId, { ciphertext: CIPHERTEXT, sender: 'ann' });
  await ben.untilMessages(conversationId, MESSAGES + 1);
  await page.getByRole('dialog').getByRole('button', { name: 'Replay 5 messages' }).click();
  await eventually(() => expect(replayed().length).toBe(before + MESSAGES));
  expect(replayed()).not.toContain(MESSAGES + 1);
  const jobs = page.getByRole('region', { name: 'Running work' });
  await jobs.getByText('5 of 5').waitFor();
});

it('a replay that runs is stopped only after the page has asked', async () => {
  const many = randomUUID();
  await scene.sql(
    `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
     SELECT gen_random_uuid(), gen_random_uuid(), 'Test', $1, '{}' FROM generate_series(1, 600)`,
    [many],
  );
  await eventually(async () => {
    const sent = await scene.sql(
      `SELECT FROM messaging.message_outbox WHERE aggregate_id = $1 AND status = 'sent'`,
      [many],
    );
    expect(sent).toHaveLength(600);
  });
  // Somebody holds a row of the second piece: it waits.
  const hand = await scene.sqlConnection();
  await hand.query('BEGIN');
  await hand.query('SELECT FROM messaging.message_outbox WHERE aggregate_id = $1 AND seq = 550 FOR UPDATE', [
    many,
  ]);
  const { page } = console;
  await page.getByLabel('Conversation').fill(many);
  await page.getByRole('button', { name: 'Dry run' }).click();
  await page.getByRole('button', { name: 'Replay 600 messages…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Replay 600 messages' }).click();
  const job = page
    .getByRole('region', { name: 'Running work' })
    .getByRole('status')
    .filter({ hasText: 'of 600' });
  await job.getByText('500 of 600').waitFor();
  await job.getByRole('button', { name: 'Stop…' }).click();
  await dialog.getByRole('button', { name: 'Stop the replay' }).waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await job.getByText('running', { exact: true }).waitFor();
  const stopped = () => scene.sql(`SELECT FROM messaging.operator_audit WHERE action = 'stop_job'`);
  expect(await stopped()).toEqual([]);
  await job.getByRole('button', { name: 'Stop…' }).click();
  await dialog.getByRole('button', { name: 'Stop the replay' }).click();
  await eventually(async () => expect(await stopped()).toHaveLength(1));
  await hand.query('ROLLBACK');
  await job.getByText('stopped', { exact: true }).waitFor();
});

it('a replay whose messages have to wait says what for, and then that they wait', async () => {
  await scene.allSent();
  await scene.sql(`SELECT messaging.set_control('dispatcher', true, 'drill')`);
  await console.view('Replay', 'Replay');
  const { page } = console;
  await page.getByLabel('Conversation').fill(conversationId);
  await page.getByRole('button', { name: 'Dry run' }).click();
  const outcome = page.locator('.outcome');
  await outcome.getByText('the dispatcher is paused: they wait until it runs').waitFor();
  await outcome.getByText(/would be set to be sent again/).waitFor();
  const button = { name: `Replay ${MESSAGES + 1} messages` };
  await outcome.getByRole('button', button).click();
  await page.getByRole('dialog').getByRole('button', button).click();
  await page.getByText(`${MESSAGES + 1} of ${MESSAGES + 1} set to be sent again`).waitFor();
  await page.getByRole('button', { name: 'Dry run' }).click();
  await outcome.getByText('or what does already waits to be sent').waitFor();
  await scene.sql(`SELECT messaging.set_control('dispatcher', false, 'drill')`);
  await scene.allSent();
});

it('a message is traced to the connections that are past it', async () => {
  await console.view('Trace a message', 'Trace a message');
  const { page } = console;
  await page.getByLabel('Message id').fill(messageIds[1] as string);
  await page.keyboard.press('Enter');
  await page.getByText('1 of 1 connection past it', { exact: true }).waitFor();
  await page.getByRole('row', { name: /ben.*past it/ }).waitFor();
});

it('every view keeps to the content policy, and none shows ciphertext', async () => {
  const { page } = console;
  const links = page.getByRole('navigation', { name: 'Views' }).getByRole('link');
  const titles = await links.allTextContents();
  expect(titles).toHaveLength(11);
  for (const title of titles) {
    await links.getByText(title, { exact: true }).click();
    await page.getByRole('heading', { level: 1, name: title }).waitFor({ state: 'attached' });
    await page.getByText('Loading…').first().waitFor({ state: 'detached' });
    expect((await page.content()).includes(CIPHERTEXT), `${title} shows ciphertext`).toBe(false);
    expect(await page.getByRole('alert').allTextContents(), title).toEqual([]);
  }
  expect(console.wrongs).toEqual([]);
});

it('the audit has both, with who did it', async () => {
  await console.view('Audit', 'Audit');
  for (const action of ['requeue', 'replay'])
    await console.page
      .getByRole('row')
      .filter({ hasText: action })
      .filter({ hasText: 'ola@ops' })
      .first()
      .waitFor();
});
