import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { BusPublisher, BusSubscriber, Channel } from '../../ports.ts';
import { eventually } from '../support/eventually.ts';

/** A bus that works as long as nobody interferes, and the faults that the contract speaks of. */
export interface BusHarness {
  publisher(): Promise<BusPublisher>;
  subscriber(): Promise<BusSubscriber>;
  /** Publisher and subscriber of another installation on the same server. */
  stranger(): Promise<{ publisher: BusPublisher; subscriber: BusSubscriber }>;
  loseConnections(): Promise<void>;
  goDown(): Promise<void>;
  comeUp(): Promise<void>;
}

/** What every implementation of BusPublisher and BusSubscriber does. */
export function busContract(name: string, makeHarness: () => Promise<BusHarness>): void {
  describe(`bus contract: ${name}`, () => {
    let harness: BusHarness;
    let publisher: BusPublisher;
    beforeEach(async () => {
      harness = await makeHarness();
      publisher = await harness.publisher();
    });

    async function listen(...channels: Channel[]): Promise<{ subscriber: BusSubscriber; heard: string[] }> {
      const subscriber = await harness.subscriber();
      const heard: string[] = [];
      subscriber.onMessage((channel, bytes) => heard.push(`${channel} ${bytes.toString()}`));
      await subscriber.subscribe(channels);
      return { subscriber, heard };
    }
    const say = (channel: Channel, text: string) =>
      publisher.publish([{ channel, bytes: Buffer.from(text) }]);

    it('brings a message to everyone who subscribed its channel, in order', async () => {
      const channel: Channel = `c:${randomUUID()}`;
      const [one, two, other] = [
        await listen(channel),
        await listen(channel, 'wake'),
        await listen(`c:${randomUUID()}`),
      ];
      await publisher.publish(['a', 'b', 'c'].map((text) => ({ channel, bytes: Buffer.from(text) })));
      await say('wake', 'd');
      await eventually(() => expect(one.heard).toEqual([`${channel} a`, `${channel} b`, `${channel} c`]));
      await eventually(() => expect(two.heard).toEqual([...one.heard, 'wake d']));
      expect(other.heard).toEqual([]);
    });

    it('brings every byte, and any user id', async () => {
      const channel: Channel = 'u:Ærøskøbing/{a} 😀:*';
      const subscriber = await harness.subscriber();
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      const arrived = new Promise<[Channel, Buffer]>((resolve) => {
        subscriber.onMessage((...message) => resolve(message));
      });
      await subscriber.subscribe([channel]);
      await publisher.publish([{ channel, bytes }]);
      expect(await arrived).toEqual([channel, bytes]);
    });

    it('brings more than one piece holds', async () => {
      const channel: Channel = `c:${randomUUID()}`;
      const subscriber = await harness.subscriber();
      const sizes: number[] = [];
      subscriber.onMessage((_, bytes) => sizes.push(bytes.length));
      await subscriber.subscribe([channel]);
      const sent = [700_000, 1, 600_000, 2_000_000, 5, 5];
      await publisher.publish(sent.map((size) => ({ channel, bytes: Buffer.alloc(size, 'x') })));
      await eventually(() => expect(sizes).toEqual(sent));
    });

    it('subscribes many channels, and says nothing before all are confirmed', async () => {
      const channels = Array.from({ length: 1_201 }, (): Channel => `c:${randomUUID()}`);
      const { heard } = await listen(...channels);
      await publisher.publish(channels.map((channel) => ({ channel, bytes: Buffer.from('x') })));
      await eventually(() => expect(heard).toHaveLength(channels.length));
    });

    it('is silent after unsubscribing', async () => {
      const { subscriber, heard } = await listen('c:1', 'c:2');
      await subscriber.unsubscribe(['c:1', 'c:3']);
      await say('c:1', 'lost');
      await say('c:2', 'heard');
      await eventually(() => expect(heard).toEqual(['c:2 heard']));
    });

    it('keeps two installations apart', async () => {
      const stranger = await harness.stranger();
      const theirs: Channel[] = [];
      stranger.subscriber.onMessage((channel) => theirs.push(channel));
      await stranger.subscriber.subscribe(['wake', 'control']);
      const { heard } = await listen('wake');
      await stranger.publisher.publish([{ channel: 'wake', bytes: Buffer.from('theirs') }]);
      await say('wake', 'ours');
      await stranger.publisher.publish([{ channel: 'control', bytes: Buffer.from('end') }]);
      await eventually(() => expect(theirs).toEqual(['wake', 'control']));
      await eventually(() => expect(heard).toEqual(['wake ours']));
    });

    it('loses every subscription with its connection, and says so', async () => {
      const { subscriber, heard } = await listen('c:1');
      const told: string[] = [];
      subscriber.onLost(() => told.push('lost'));
      subscriber.onReady(() => told.push('ready'));
      await harness.loseConnections();
      await eventually(() => expect(told).toEqual(['lost', 'ready']));
      expect(subscriber.connected).toBe(true);
      await subscriber.subscribe(['c:2']);
      await eventually(() => say('c:1', 'lost'));
      await say('c:2', 'heard');
      await eventually(() => expect(heard).toEqual(['c:2 heard']));
    });

    it('fails while the server is away', async () => {
      const { subscriber } = await listen('c:1');
      await harness.goDown();
      await eventually(() => expect(subscriber.connected).toBe(false));
      const unavailable = { name: 'Fault', code: 'unavailable', retryable: true };
      await expect(say('c:1', 'x')).rejects.toMatchObject(unavailable);
      await expect(subscriber.subscribe(['c:2'])).rejects.toMatchObject(unavailable);
      await expect(subscriber.unsubscribe(['c:1'])).resolves.toBeUndefined();
      await harness.comeUp();
      await eventually(() => subscriber.subscribe(['c:2']));
      await eventually(() => say('c:2', 'x'));
    });

    it('takes nothing for nothing', async () => {
      const subscriber = await harness.subscriber();
      await subscriber.subscribe([]);
      await subscriber.unsubscribe([]);
      await publisher.publish([]);
    });
  });
}
