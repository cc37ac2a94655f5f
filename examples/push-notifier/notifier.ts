/** Tells the members of a conversation that there is a message: a second consumer group on the service's stream. */
import { Conversations } from '@sanctum/client';
import { Redis } from 'ioredis';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { login, redisUrl, serviceUrl } from '../service.ts';
import { readEntry, type Entry } from './entry.ts';
import { MemberDirectory } from './member-directory.ts';
import { push } from './push.ts';

const STREAM = 'sanctum:messages';
const GROUP = 'push-notifier';
const CONSUMER = process.env['CONSUMER_NAME'] ?? hostname();
const BATCH = 100;
const BLOCK_MS = 1000;
/** What a consumer has had for so long is taken over: it has died, or its push failed. */
const CLAIM_IDLE_MS = Number(process.env['CLAIM_IDLE_MS'] ?? 30_000);
/** A push that comes later than this helps nobody. So one that keeps failing is given up, too. */
const AGE_MAX_MS = 5 * 60_000;
/** Message ids that are remembered, to know a copy again. */
const RECENT_MAX = 10_000;

type RawEntry = [id: string, fields: string[] | null];

const redis = new Redis(redisUrl);
redis.on('error', (error) => console.error(`Redis: ${error.message}`));
// The scope shows who is in a conversation. A backend that keeps records of its own needs none of this.
const directory = new MemberDirectory(
  new Conversations({ url: serviceUrl, token: () => login('push-notifier', 'messaging:operate') }),
);
const recent = new Set<string>();
let isStopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void (isStopping = true));

// From now on: nobody wants to hear of yesterday's messages.
await createGroup('$');
console.log(`${CONSUMER} listens`);
while (!isStopping) {
  try {
    for (const [id, fields] of [...(await takenOver()), ...(await unread())]) await handle(id, fields);
  } catch (error) {
    const { message } = error as Error;
    console.error(message);
    // Redis was emptied, and what it holds now came after that.
    if (message.startsWith('NOGROUP')) await createGroup('0');
    else await delay(BLOCK_MS);
  }
}
redis.disconnect();

async function handle(id: string, fields: string[] | null): Promise<void> {
  const entry = fields === null ? undefined : readEntry(fields);
  // What is not acknowledged stays pending, and is taken over later.
  if (entry !== undefined && isNews(entry) && !(await tell(entry))) return;
  await redis.xack(STREAM, GROUP, id);
}

/**
 * An operator's replay is no news, and the service's own probes are for nobody. A copy (`resent`) is news only where
 * the first one was not seen.
 */
function isNews({ eventType, replay, messageId, occurredAtMs }: Entry): boolean {
  const isTooOld = Date.now() - occurredAtMs > AGE_MAX_MS;
  return eventType === 'MessageCreated' && replay === 0 && !recent.has(messageId) && !isTooOld;
}

/** Pushes to all members but the sender; false where that failed. */
async function tell(entry: Entry): Promise<boolean> {
  const { conversationId, membersVersion, messageId, sender } = entry;
  try {
    const members = await directory.members(conversationId, membersVersion);
    for (const userId of members.filter((each) => each !== sender)) await push(userId, entry);
  } catch (error) {
    console.error(`${messageId} will be tried again: ${(error as Error).message}`);
    return false;
  }
  recent.add(messageId);
  const [oldest] = recent;
  if (recent.size > RECENT_MAX && oldest !== undefined) recent.delete(oldest);
  return true;
}

/** What this consumer or another has had for too long. */
async function takenOver(): Promise<RawEntry[]> {
  const answer = await redis.xautoclaim(STREAM, GROUP, CONSUMER, CLAIM_IDLE_MS, '0-0', 'COUNT', BATCH);
  return (answer as [next: string, entries: RawEntry[]])[1];
}

async function unread(): Promise<RawEntry[]> {
  const answer = await redis.xreadgroup(
    'GROUP',
    GROUP,
    CONSUMER,
    'COUNT',
    BATCH,
    'BLOCK',
    BLOCK_MS,
    'STREAMS',
    STREAM,
    '>',
  );
  const [stream] = (answer ?? []) as [name: string, entries: RawEntry[]][];
  return stream?.[1] ?? [];
}

async function createGroup(from: '$' | '0'): Promise<void> {
  await redis.xgroup('CREATE', STREAM, GROUP, from, 'MKSTREAM').catch((error: Error) => {
    if (!error.message.startsWith('BUSYGROUP')) throw error;
  });
}
