import { describe, expect, it } from 'vitest';
import { bounds } from '../../bounds.ts';
import { ManualClock, settle } from '../../tests/support/manual-clock.ts';
import { CallGate } from './call-gate.ts';

const hangs = () => new Promise<never>(() => undefined);

describe('CallGate', () => {
  it('hands on what a call gives or throws', async () => {
    const gate = new CallGate(new ManualClock());
    expect(await gate.run('ann', () => Promise.resolve(7))).toBe(7);
    await expect(gate.run('ann', () => Promise.reject(new TypeError('x')))).rejects.toThrow(TypeError);
  });

  it('gives up a call that does not settle, which goes on counting until it does', async () => {
    const clock = new ManualClock();
    const gate = new CallGate(clock);
    let settleFirst: (() => void) | undefined;
    const first = gate.run('ann', () => new Promise<void>((resolve) => (settleFirst = resolve)));
    const others = Array.from({ length: bounds.http.callsInFlightMax - 1 }, (_, n) =>
      gate.run(`user-${n}`, hangs),
    );
    const refusals = Promise.allSettled([first, ...others]);
    await clock.advance(bounds.http.callMaxMs);
    for (const refusal of await refusals) {
      expect(refusal).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    }
    expect(() => gate.run('bob', hangs)).toThrow(expect.objectContaining({ code: 'overloaded' }));
    settleFirst!();
    await settle();
    expect(await gate.run('bob', () => Promise.resolve('taken'))).toBe('taken');
  });

  it('leaves room beside one user who takes all that one user may', async () => {
    const gate = new CallGate(new ManualClock());
    const settlers: (() => void)[] = [];
    const hang = () => new Promise<void>((resolve) => settlers.push(resolve));
    const calls = Array.from({ length: bounds.http.userCallsInFlightMax }, () => gate.run('mallory', hang));
    expect(() => gate.run('mallory', hangs)).toThrow(expect.objectContaining({ code: 'overloaded' }));
    expect(await gate.run('ann', () => Promise.resolve(7))).toBe(7);
    for (const settleOne of settlers) settleOne();
    await Promise.all(calls);
    await settle();
    expect(await gate.run('mallory', () => Promise.resolve(8))).toBe(8);
  });
});
