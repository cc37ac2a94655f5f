import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { pushStreamEntry } from '../../../adapters/redis/stream-entry.ts';
import { STREAM } from '../../chaos/chaos-world.ts';
import { SecondGroup } from '../../chaos/second-group.ts';
import { StampedHistory } from '../../history/history-writer.ts';
import type { HistoryEvent } from '../../history/history.ts';
import { eventually } from '../../support/eventually.ts';
import { ownRedis } from '../../support/servers.ts';
import { conversationMessages } from '../../support/stream-messages.ts';

const [server, promoted] = [await ownRedis({ args: [] }), await ownRedis({ args: [] })];

it('a second group has every entry in its order, across a cut connection, a Redis that is empty and another primary', async () => {
  const events: HistoryEvent[] = [];
  let url = server.url;
  const withRedis = async <T>(use: (redis: Redis) => Promise<T>, at = url): Promise<T> => {
    const redis = new Redis(at, { lazyConnect: true, retryStrategy: () => null });
    redis.on('error', () => undefined);
    await redis.connect();
    return use(redis).finally(() => redis.disconnect());
  };
  const messages = conversationMessages(5);
  const add = (n: number) =>
    withRedis((redis) => {
      const fields: string[] = [];
      pushStreamEntry(fields, messages[n]!);
      return redis.xadd(STREAM, '*', ...fields);
    });
  const seqs = () => events.flatMap((event) => (event.type === 'entry' ? [event.seq] : []));
  const read = (...wanted: number[]) => eventually(() => expect(seqs()).toEqual(wanted));
  const second = new SecondGroup(
    { url: () => url, connected: withRedis },
    new StampedHistory((event) => events.push(event), { process: 'test' }),
  );
  await add(0);
  second.start();
  await add(1);
  await read(1, 2);
  await withRedis((redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'));
  await add(2);
  await read(1, 2, 3);
  await withRedis((redis) => redis.flushall());
  await add(3);
  await read(1, 2, 3, 4);
  // The old one lives on, and hears nothing new.
  url = promoted.url;
  await add(4);
  // What lies there when it is asked to end is still read.
  await second.stop();
  expect(seqs()).toEqual([1, 2, 3, 4, 5]);
  const [first] = events.filter((event) => event.type === 'entry');
  const { conversationId, messageId } = messages[0]!.message;
  expect(first).toMatchObject({ conversationId, messageId, epoch: 1, replay: 0, resent: 0 });
});
