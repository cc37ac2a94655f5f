/** A bot that answers each message once, however often it or the service crashes in between. */
import { connect, SanctumError } from '@sanctum/client';
import { fileStorage } from '@sanctum/client/node';
import { parseKeyFile, webCryptoCipher } from '@sanctum/client/webcrypto';
import { readFile } from 'node:fs/promises';
// Node has one of its own from version 22 on.
import { WebSocket } from 'ws';
import { login, serviceUrl } from '../service.ts';

const userId = process.env['USER_ID'] ?? 'bot';
const keyFile = process.env['SANCTUM_KEY_FILE'] ?? 'chat.key';
const stateFile = process.env['STATE_FILE'] ?? `.sanctum/examples/${userId}.state`;

const keys = parseKeyFile(await readFile(keyFile, 'utf8'));
const storage = await fileStorage(stateFile);
const bot = await connect({
  url: serviceUrl,
  userId,
  token: () => login(userId),
  storage,
  cipher: webCryptoCipher({ keys, storage }),
  begin: 'start',
  WebSocket,
});

bot.on('status', (status) =>
  console.log(status.state === 'waiting' ? `waiting: ${status.why}` : status.state),
);
bot.on('error', (error) => console.error(error.message));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void bot.close());

/**
 * The message answered last in each conversation. It is stored together with the answer, so that a message which comes
 * again after a crash is known, and only the last of a conversation can come again.
 */
const answered = new Map(await storage.entries('answered/'));

try {
  for await (const message of bot.messages()) {
    const { conversationId, messageId, sender, own, readable } = message;
    const key = `answered/${conversationId}`;
    if (own || answered.get(key) === messageId) continue;
    const answer = readable ? answerTo(message.text) : 'I do not have the key for this message.';
    await bot.send(conversationId, answer, { store: (tx) => tx.put(key, messageId) });
    answered.set(key, messageId);
    console.log(`answered #${message.seq} of ${sender ?? 'nobody'}`);
  }
} catch (error) {
  // Stopped in the middle of an answer: the message comes again in the next run.
  if (!(error instanceof SanctumError && error.code === 'closed')) throw error;
}

function answerTo(text: string): string {
  if (text === 'ping') return 'pong';
  return `You wrote ${text.length} characters. Try "ping".`;
}
