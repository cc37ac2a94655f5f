import { describe, expect, it } from 'vitest';
import { MemoryBus } from '../../adapters/memory/memory-bus.ts';
import { systemClock } from '../../clock.ts';
import { eventually } from '../support/eventually.ts';
import { busContract, type BusHarness } from './bus-contract.ts';

function makeHarness(latencyMs: () => number): Promise<BusHarness> {
  const bus = new MemoryBus({ clock: systemClock, latencyMs });
  const other = new MemoryBus({ clock: systemClock, latencyMs });
  const done = (action: () => void) => Promise.resolve(action());
  return Promise.resolve({
    publisher: () => Promise.resolve(bus.publisher()),
    subscriber: () => Promise.resolve(bus.subscriber()),
    stranger: () => Promise.resolve({ publisher: other.publisher(), subscriber: other.subscriber() }),
    loseConnections: () => done(() => bus.loseConnections()),
    goDown: () => done(() => bus.goDown()),
    comeUp: () => done(() => bus.comeUp()),
  });
}

busContract('memory', () => makeHarness(() => 0));
busContract('memory with latency', () => makeHarness(() => Math.random() * 2));

describe('MemoryBus', () => {
  const three = ['a', 'b', 'c'].map((text) => ({ channel: 'wake', bytes: Buffer.from(text) }) as const);

  async function hear(bus: MemoryBus): Promise<string[]> {
    const subscriber = bus.subscriber();
    const heard: string[] = [];
    subscriber.onMessage((_, bytes) => heard.push(bytes.toString()));
    await subscriber.subscribe(['wake']);
    return heard;
  }

  it('loses what it is told to lose', async () => {
    const bus = new MemoryBus({ clock: systemClock });
    bus.loses = ({ bytes }) => bytes.toString() === 'b';
    const heard = await hear(bus);
    await bus.publisher().publish(three);
    await eventually(() => expect(heard).toEqual(['a', 'c']));
  });

  it('puts messages out of order by delaying them', async () => {
    const bus = new MemoryBus({ clock: systemClock });
    bus.delaysMs = ({ bytes }) => (bytes.toString() === 'a' ? 20 : 0);
    const heard = await hear(bus);
    await bus.publisher().publish(three);
    await eventually(() => expect(heard).toEqual(['b', 'c', 'a']));
  });
});
