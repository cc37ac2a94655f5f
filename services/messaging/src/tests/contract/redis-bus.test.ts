import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterEach, expect } from 'vitest';
import { RedisBusPublisher } from '../../adapters/redis/redis-bus-publisher.ts';
import { RedisBusSubscriber } from '../../adapters/redis/redis-bus-subscriber.ts';
import { eventually } from '../support/eventually.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { ownRedis } from '../support/servers.ts';
import { busContract, type BusHarness } from './bus-contract.ts';

const server = await ownRedis();
const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

function makeHarness(): Promise<BusHarness> {
  const admin = new Redis(server.url);
  open.push({ close: () => admin.disconnect() });
  admin.on('error', () => {});
  const log = new RecordedLog();
  const ready = async <T extends RedisBusPublisher | RedisBusSubscriber>(end: T): Promise<T> => {
    open.push(end);
    end.start();
    await eventually(() => expect(end.connected).toBe(true));
    return end;
  };
  const installationId = randomUUID();
  const ours = { url: server.url, installationId, log };
  return Promise.resolve({
    publisher: () => ready(new RedisBusPublisher(ours)),
    subscriber: () => ready(new RedisBusSubscriber(ours)),
    async stranger() {
      const theirs = { ...ours, installationId: randomUUID() };
      return {
        publisher: await ready(new RedisBusPublisher(theirs)),
        subscriber: await ready(new RedisBusSubscriber(theirs)),
      };
    },
    async loseConnections() {
      await admin.call('CLIENT', 'KILL', 'SKIPME', 'yes');
    },
    goDown: () => server.stop(),
    comeUp: () => server.restart(),
  });
}

busContract('Redis', makeHarness);
