/** A backend that makes conversations what its own records say: `sync-teams.ts [teams.json]`, as often as you like. */
import { Conversations, SanctumError } from '@sanctum/client';
import { readFile } from 'node:fs/promises';
import { login, serviceUrl } from '../service.ts';

interface Team {
  readonly conversation_id: string;
  readonly members: readonly string[];
}

const BACKEND = 'team-backend';
const file = process.argv[2] ?? new URL('teams.json', import.meta.url);
const teams = JSON.parse(await readFile(file, 'utf8')) as Team[];
const conversations = new Conversations({ url: serviceUrl, token: () => login(BACKEND, 'messaging:manage') });

for (const { conversation_id: conversationId, members } of teams) {
  await createUnlessThere(conversationId, members);
  const present = new Set((await conversations.members(conversationId)).map(({ userId }) => userId));
  for (const userId of members.filter((each) => !present.has(each))) {
    const { joinedSeq } = await conversations.addMember(conversationId, userId);
    console.log(`${conversationId}: ${userId} added, reads from #${joinedSeq} on`);
  }
  // The backend owns the conversation, and stays. It has no key, so it reads nothing.
  for (const userId of [...present].filter((each) => each !== BACKEND && !members.includes(each))) {
    await conversations.removeMember(conversationId, userId);
    console.log(`${conversationId}: ${userId} removed; give the others a new key`);
  }
}

async function createUnlessThere(conversationId: string, members: readonly string[]): Promise<void> {
  try {
    await conversations.create({ conversationId, members });
    console.log(`${conversationId}: there, with ${members.join(', ')}`);
  } catch (error) {
    // It began with other members.
    if (!(error instanceof SanctumError && error.code === 'conversation_exists')) throw error;
  }
}
