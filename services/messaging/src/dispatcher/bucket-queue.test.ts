import { describe, expect, it } from 'vitest';
import { BucketQueue } from './bucket-queue.ts';

describe('BucketQueue', () => {
  function queueOf(limit: number, ...buckets: number[]): BucketQueue {
    const queue = new BucketQueue();
    queue.allow(limit);
    queue.add(buckets);
    return queue;
  }
  /** What waiting lanes have got so far. */
  async function lanes(queue: BucketQueue, count: number): Promise<(number | undefined)[]> {
    const got: (number | undefined)[] = [];
    for (let i = 0; i < count; i++) void queue.take().then((bucket) => got.push(bucket));
    await Promise.resolve();
    await Promise.resolve();
    return got;
  }

  it('hands out each due bucket once, in the order in which they became due', async () => {
    const queue = queueOf(9, 5, 3, 5, 8);
    expect([await queue.take(), await queue.take(), await queue.take()]).toEqual([5, 3, 8]);
    expect(await lanes(queue, 1)).toEqual([]);
  });

  it('hands out no more than it is allowed', async () => {
    const queue = queueOf(0, 1, 2, 3);
    const got = await lanes(queue, 3);
    expect(got).toEqual([]);
    queue.allow(1);
    await Promise.resolve();
    expect(got).toEqual([1]);
    queue.release(1);
    await Promise.resolve();
    expect(got).toEqual([1, 2]);
  });

  it('keeps a bucket from a second lane, and hands it out again afterwards', async () => {
    const queue = queueOf(4, 1);
    expect(await queue.take()).toBe(1);
    queue.add([1]);
    const got = await lanes(queue, 2);
    expect(got).toEqual([]);
    queue.release(1);
    await Promise.resolve();
    expect(got).toEqual([1]);
  });

  it('sends every lane home once closed', async () => {
    const queue = queueOf(1, 1, 2);
    expect(await queue.take()).toBe(1);
    const waiting = queue.take();
    queue.close();
    expect(await waiting).toBeUndefined();
    expect(await queue.take()).toBeUndefined();
    queue.release(1);
    queue.close();
  });
});
