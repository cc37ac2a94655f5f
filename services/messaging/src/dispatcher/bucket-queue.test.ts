import { describe, expect, it } from 'vitest';
import { BucketQueue } from './bucket-queue.ts';

describe('BucketQueue', () => {
  function queueOf(limit: number, ...buckets: number[]): BucketQueue {
    const queue = new BucketQueue({ partitions: 1 });
    queue.allow(limit);
    queue.add(buckets);
    return queue;
  }
  /** What waiting lanes have got so far, each with room for `most`. */
  async function lanes(queue: BucketQueue, count: number, most = 1): Promise<(number[] | undefined)[]> {
    const got: (number[] | undefined)[] = [];
    for (let i = 0; i < count; i++) void queue.take(most).then((buckets) => got.push(buckets));
    await Promise.resolve();
    await Promise.resolve();
    return got;
  }

  it('hands out each due bucket once, in the order in which they became due', async () => {
    const queue = queueOf(9, 5, 3, 5, 8);
    expect([await queue.take(1), await queue.take(1), await queue.take(1)]).toEqual([[5], [3], [8]]);
    expect(await lanes(queue, 1)).toEqual([]);
  });

  it('hands out several at once where a lane has room for them', async () => {
    const queue = queueOf(9, 5, 3, 8, 1, 2);
    expect([await queue.take(4), await queue.take(4)]).toEqual([[5, 3, 8, 1], [2]]);
    expect(await lanes(queue, 1, 4)).toEqual([]);
  });

  it('hands out together only what is of one partition', async () => {
    const queue = new BucketQueue({ partitions: 3 });
    queue.allow(9);
    queue.add([4, 5, 7, 8, 9, 10]);
    expect(await lanes(queue, 4, 8)).toEqual([[4, 7, 10], [5, 8], [9]]);
  });

  it('gives one that is to go alone no company, once', async () => {
    const queue = queueOf(9, 1, 2);
    queue.add([3], { alone: true });
    queue.add([4, 3]);
    expect(await lanes(queue, 3, 8)).toEqual([[1, 2, 4], [3]]);
    queue.release([1, 2, 3, 4]);
    await Promise.resolve();
    queue.close();
    const again = queueOf(9);
    again.add([3], { alone: true });
    expect(await again.take(8)).toEqual([3]);
    again.release([3]);
    again.add([3, 4]);
    expect(await again.take(8)).toEqual([3, 4]);
  });

  it('hands out no more than it is allowed', async () => {
    const queue = queueOf(0, 1, 2, 3);
    const got = await lanes(queue, 3, 8);
    expect(got).toEqual([]);
    queue.allow(1);
    await Promise.resolve();
    expect(got).toEqual([[1]]);
    queue.release([1]);
    await Promise.resolve();
    expect(got).toEqual([[1], [2]]);
  });

  it('keeps a bucket from a second lane, and hands it out again afterwards', async () => {
    const queue = queueOf(4, 1);
    expect(await queue.take(1)).toEqual([1]);
    queue.add([1]);
    const got = await lanes(queue, 2);
    expect(got).toEqual([]);
    queue.release([1]);
    await Promise.resolve();
    expect(got).toEqual([[1]]);
  });

  it('sends every lane home once closed', async () => {
    const queue = queueOf(1, 1, 2);
    expect(await queue.take(8)).toEqual([1]);
    const waiting = queue.take(8);
    queue.close();
    expect(await waiting).toBeUndefined();
    expect(await queue.take(8)).toBeUndefined();
    queue.release([1]);
    queue.close();
  });
});
