import { describe, expect, it } from 'vitest';
import { LatencyWatch } from './latency-watch.ts';

/** A message each 100 ms for two readers; `latencyOf` says when it arrives. */
function watched(untilMs: number, latencyOf: (postedAt: number) => number): LatencyWatch {
  const watch = new LatencyWatch();
  for (let at = 0; at < untilMs; at += 100) watch.posted(`m${at}`, { at, readers: 2, group: `g${at % 200}` });
  const arrivals = Array.from({ length: untilMs / 100 }, (_, n) => [n * 100, n * 100 + latencyOf(n * 100)]);
  for (const [posted, at] of arrivals.toSorted((a, b) => a[1]! - b[1]!)) {
    watch.arrived(`m${posted}`, at!);
    watch.arrived(`m${posted}`, at!);
  }
  return watch;
}

describe('recovery', () => {
  const span = { since: 5500, until: 11_900, lastingMs: 3000 };

  it('is 0 where nothing was to be felt', () => {
    expect(watched(12_000, () => 50).recoveryMs(span)).toBe(0);
  });

  it('waits until the backlog has passed out of the window', () => {
    // What was posted between 2 s and 6 s arrives at 6 s.
    const watch = watched(12_000, (at) => (at >= 2000 && at < 6000 ? 6000 - at : 50));
    expect(watch.recoveryMs(span)).toBeGreaterThanOrEqual(1400);
    expect(watch.recoveryMs(span)).toBeLessThan(1600);
  });

  it('is not there where it does not last', () => {
    // Each 3 s something takes 3 s.
    const watch = watched(20_000, (at) => (at % 3000 < 1000 ? 3000 : 50));
    expect(watch.recoveryMs({ ...span, until: 19_900 })).toBeUndefined();
    // The last second of a run is too short to tell.
    const late = watched(12_000, (at) => (at < 11_000 ? 2500 : 50));
    expect(late.recoveryMs(span)).toBeUndefined();
  });

  it('counts what is overdue, and silence', () => {
    const watch = watched(10_000, (at) => (at < 5000 ? 50 : Infinity));
    expect(watch.p95At(5000)).toBe(50);
    expect(watch.p95At(7200)).toBe(Infinity);
    expect(watch.recoveryMs(span)).toBeUndefined();
    expect(new LatencyWatch().p95At(1000)).toBe(Infinity);
  });

  it('is when it went well after a relapse', () => {
    const watch = watched(20_000, (at) => (at >= 6000 && at < 7000 ? 4000 : 50));
    const recoveryMs = watch.recoveryMs({ ...span, until: 19_900 })!;
    expect(recoveryMs).toBeGreaterThan(5000);
    expect(recoveryMs).toBeLessThan(6500);
  });
});

it('p95Of looks at what was posted within a span, by conversation', () => {
  const watch = watched(2000, (at) => (at % 200 === 0 ? 10 : 500));
  expect(watch.p95Of({ from: 0, to: 1900 })).toBe(500);
  expect(watch.p95Of({ from: 0, to: 1900, only: 'g0' })).toBe(10);
  expect(watch.p95Of({ from: 0, to: 1900, without: 'g100' })).toBe(10);
  expect(watch.p95Of({ from: 5000, to: 6000 })).toBe(Infinity);
});

it('what is withdrawn is not waited for', () => {
  const watch = new LatencyWatch();
  watch.posted('refused', { at: 0, readers: 3, group: 'g' });
  expect(watch.missing).toBe(3);
  watch.withdrawn('refused');
  expect(watch.missing).toBe(0);
});
