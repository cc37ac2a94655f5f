/** Serves a page, this one or that of another folder, to two people of a new conversation, and prints their links. */
import { Conversations } from '@sanctum/client';
import { keyLine } from '@sanctum/client/webcrypto';
import { resolve } from 'node:path';
import { login, serviceUrl } from '../service.ts';
import { servePage } from './serve-page.ts';

const conversations = new Conversations({ url: serviceUrl, token: () => login('alice') });
const { conversationId: conversation } = await conversations.create({ members: ['bob'] });
const key = keyLine();
const root = resolve(process.argv[2] ?? import.meta.dirname);
const page = await servePage({ root, port: Number(process.env['PORT'] ?? 5173) });
for (const user of ['alice', 'bob']) {
  console.log(`${user}: ${page.url}/#${new URLSearchParams({ user, conversation, key }).toString()}`);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void page.close());
