import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { PageRequest, ReaderLog } from '../ports.ts';
import { KeepingConnection, memoryHub, say } from '../tests/support/memory-hub.ts';
import { decodeBusFrame, encodeBusFrame } from './bus-frame.ts';

const CONVERSATIONS = 60;
const MESSAGES = 3;

/** Bob, who is behind in some conversations, and every page that was asked for. */
async function scene(options: {
  conversations: number;
  messages: number;
  credit: number;
  /** Called with each answer before it is given. */
  answered?: (pages: readonly PageRequest[]) => Promise<void>;
}) {
  const asked: PageRequest[] = [];
  let underWay = 0;
  let mostUnderWay = 0;
  const wrap = (reader: ReaderLog): ReaderLog => {
    const readPages: ReaderLog['readPages'] = async (requests) => {
      asked.push(...requests);
      underWay += requests.length;
      mostUnderWay = Math.max(mostUnderWay, underWay);
      const pages = await reader.readPages(requests);
      await options.answered?.(requests);
      underWay -= requests.length;
      return pages;
    };
    const real = (name: keyof ReaderLog) => (reader[name] as (...args: unknown[]) => unknown).bind(reader);
    return new Proxy(reader, {
      get: (_, name) => (name === 'readPages' ? readPages : real(name as keyof ReaderLog)),
    });
  };
  const { clock, log, hub } = memoryHub({ wrap });
  const ids = Array.from({ length: options.conversations }, () => randomUUID());
  for (const conversationId of ids) {
    await log.conversations.createConversation({ conversationId, owner: 'ann', members: ['bob'] });
    for (let n = 0; n < options.messages; n++) {
      const [messageId, eventId] = [randomUUID(), randomUUID()];
      log.insertRow({ conversationId, messageId, eventId, eventType: 'Note', payload: '{}' });
    }
  }
  const connection = new KeepingConnection('connection');
  const { frames } = connection;
  const session = hub.connect(connection, 'bob');
  const begin = () => say(session, { type: 'hello', credit: options.credit, without_cursor: 'start' });
  const delivered = () => frames.filter(({ type }) => type === 'message' || type === 'gap');
  return { clock, log, hub, session, ids, asked, begin, delivered, mostUnderWay: () => mostUnderWay };
}

test('of many conversations that a client is behind in, no more are read for than it may be sent of', async () => {
  const { clock, session, asked, begin, delivered } = await scene({
    conversations: CONVERSATIONS,
    messages: MESSAGES,
    credit: 1,
  });
  begin();
  await clock.advance(1_000);
  expect([delivered().length, asked.length]).toEqual([1, 1]);
  for (let count = 1; count <= 10; count++) {
    say(session, { type: 'ack', delivered: count });
    await clock.advance(1_500);
    expect(delivered()).toHaveLength(count + 1);
  }
  // One for each conversation that it came to, and again where it stood still for so long that pages were let go.
  expect(asked.length).toBeLessThanOrEqual(20);
});

test('everything comes, and all conversations in turn, a few read at a time', async () => {
  const { clock, session, ids, begin, delivered, mostUnderWay } = await scene({
    conversations: CONVERSATIONS,
    messages: MESSAGES,
    credit: 64,
  });
  begin();
  for (let had = -1; delivered().length > had;) {
    had = delivered().length;
    await clock.advance(100);
    say(session, { type: 'ack', delivered: delivered().length });
    await clock.advance(100);
  }
  expect(delivered()).toHaveLength(CONVERSATIONS * MESSAGES);
  for (const id of ids) {
    const seqs = delivered().flatMap((frame) =>
      'conversation_id' in frame && frame.conversation_id === id && 'seq' in frame ? [frame.seq] : [],
    );
    expect(seqs).toEqual([1, 2, 3]);
  }
  expect(mostUnderWay()).toBe(16);
});

test.each([['at hand'], ['under way']])(
  'a dead letter that is requeued comes to whoever has a page %s that calls it a gap',
  async (page) => {
    let letGo = (): void => undefined;
    const { clock, log, hub, session, ids, begin, delivered } = await scene({
      conversations: 1,
      messages: 20,
      credit: 8,
      answered: () =>
        page === 'under way' ? new Promise<void>((resolve) => (letGo = resolve)) : Promise.resolve(),
    });
    const [conversationId] = ids as [string];
    log.markDead(conversationId, 15);
    begin();
    await clock.advance(100);
    expect(delivered()).toHaveLength(page === 'at hand' ? 8 : 0);
    log.requeueDead(conversationId);
    const message = (
      await log.reader.readReplays([{ conversationId, from: 15, to: 15, limit: 1, maxBytes: 1000 }])
    )[0]!.messages[0]!;
    hub.feeds.arrive(conversationId, decodeBusFrame(encodeBusFrame({ epoch: 1, message }))!);
    for (let round = 0; round < 20; round++) {
      letGo();
      await clock.advance(100);
      letGo();
      say(session, { type: 'ack', delivered: delivered().length });
      await clock.advance(100);
    }
    expect(delivered().map((frame) => (frame.type === 'message' ? frame.seq : frame.type))).toEqual(
      Array.from({ length: 20 }, (_, n) => n + 1),
    );
  },
);

test('answers to a client that does not read wait until it does, whatever they answer', async () => {
  const { clock, hub } = memoryHub();
  const connection = new KeepingConnection('connection');
  const session = hub.connect(connection, 'bob');
  say(session, { type: 'hello' });
  await clock.advance(100);
  connection.frames.length = 0;
  connection.unsentBytes = 256 * 1024;
  for (let n = 0; n < 10; n++) {
    say(session, { type: 'ping', id: 'p'.repeat(64) });
    say(session, { type: 'from a newer client', id: n });
    say(session, { type: 'auth', token: 'bob' });
  }
  await clock.advance(1_000);
  expect(connection.frames).toEqual([]);
  connection.unsentBytes = 0;
  session.flush();
  await clock.advance(100);
  const count = (type: string) => connection.frames.filter((frame) => frame.type === type).length;
  expect([count('pong'), count('error'), count('authenticated')]).toEqual([10, 10, 10]);
  connection.unsentBytes = 256 * 1024;
  for (let n = 0; n < 3; n++) {
    for (let m = 0; m < 40; m++) say(session, { type: 'ping', id: m });
    await clock.advance(1_000);
  }
  expect(connection.closed).toBe(4429);
});
