import { beforeEach, describe, expect, it } from 'vitest';
import { bounds } from '../bounds.ts';
import { bucketOf } from '../bucket.ts';
import { Fault } from '../errors.ts';
import { silentLog } from '../log.ts';
import type { AppendOutcome, AppendRequest, IntakeLog } from '../ports.ts';
import { ManualClock, settle } from '../tests/support/manual-clock.ts';
import { Intake, type IntakeOutcome } from './intake.ts';

/** One call of `append` that waits for the test's answer. */
interface Call {
  readonly requests: readonly AppendRequest[];
  readonly waitForLock: boolean;
  readonly messages: string[];
  answer(...kinds: AppendOutcome['kind'][]): Promise<void>;
  fail(code: 'unavailable' | 'contention' | 'bad_row' | 'unexpected'): Promise<void>;
}

/** A log that commits when the test says so, and counts seq by itself. */
class ManualLog implements IntakeLog {
  readonly calls: Call[] = [];
  #seq = 0;

  append(
    requests: readonly AppendRequest[],
    { waitForLock }: { waitForLock: boolean },
  ): Promise<AppendOutcome[]> {
    return new Promise((resolve, reject) => {
      this.calls.push({
        requests,
        waitForLock,
        messages: requests.map((request) => request.messageId),
        answer: (...kinds) => {
          resolve(requests.map((_, i) => this.#outcome(kinds[i] ?? kinds.at(-1) ?? 'accepted')));
          return settle();
        },
        fail: (code) => {
          reject(new Fault(code, 'by the test'));
          return settle();
        },
      });
    });
  }

  /** The call that has not been looked at yet. */
  next(): Call {
    const call = this.calls.shift();
    if (call === undefined) throw new Error('the log was not called');
    return call;
  }

  #outcome(kind: AppendOutcome['kind']): AppendOutcome {
    if (kind === 'accepted') return { kind, seq: ++this.#seq, occurredAt: 1000, epoch: 1 };
    return kind === 'duplicate' ? { kind, seq: 7, occurredAt: 900, epoch: 1 } : { kind };
  }
}

let log: ManualLog;
let clock: ManualClock;
let intake: Intake;
let woken: (readonly number[])[];
/** Messages in the order of their answers. */
let answered: string[];

beforeEach(() => {
  log = new ManualLog();
  clock = new ManualClock();
  woken = [];
  answered = [];
  const onCommitted = (buckets: readonly number[]) => void woken.push(buckets);
  intake = new Intake({ intakeLog: log, clock, log: silentLog, onCommitted });
});

async function post(
  conversationId: string,
  messageId: string,
  ciphertext = 'c2VhbGVk',
): Promise<IntakeOutcome> {
  const outcome = await intake.post({ conversationId, messageId, sender: 'alice', ciphertext });
  answered.push(messageId);
  return outcome;
}

/** Posts that nobody waits for. */
function queue(conversationId: string, ...messageIds: string[]): void {
  for (const messageId of messageIds) void post(conversationId, messageId);
}

function posts(conversationId: string, ...messageIds: string[]): Promise<IntakeOutcome>[] {
  return messageIds.map((messageId) => post(conversationId, messageId));
}

describe('groups', () => {
  it('hold everything that came while the last ones were being committed', async () => {
    queue('a', 'a1');
    queue('b', 'b1');
    queue('c', 'c1');
    queue('d', 'd1', 'd2');
    expect([log.calls.length, log.next().messages, log.calls[0]!.messages]).toEqual([2, ['a1'], ['b1']]);
    await log.next().answer();
    expect(log.next().messages).toEqual(['c1', 'd1', 'd2']);
  });

  it('are never two for one conversation', async () => {
    queue('a', 'a1');
    queue('b', 'b1');
    queue('a', 'a2');
    const first = log.next();
    await log.next().answer();
    expect(log.calls).toEqual([]);
    await first.answer();
    expect(log.next().messages).toEqual(['a2']);
  });

  it('answer a conversation in the order of its posts', async () => {
    queue('a', 'a1', 'a2', 'a3');
    queue('b', 'b1');
    await log.next().answer();
    await log.next().answer();
    await log.next().answer();
    expect(answered.filter((id) => id.startsWith('a'))).toEqual(['a1', 'a2', 'a3']);
  });

  it('end at their row bound, and take turns', async () => {
    const { groupRowsMax } = bounds.intake;
    queue('x', 'x');
    queue('y', 'y');
    queue('hot', ...Array.from({ length: groupRowsMax + 1 }, (_, i) => `h${i}`));
    queue('b', 'b1');
    await log.next().answer();
    const hot = log.next();
    await hot.answer();
    const full = log.next();
    expect(full.messages).toHaveLength(groupRowsMax);
    expect(log.next().messages).toEqual(['b1']);
    await full.answer();
    expect(log.next().messages).toEqual([`h${groupRowsMax}`]);
  });

  it('end at their byte bound, but hold one message of any size', async () => {
    const big = 'AAAA'.repeat(bounds.intake.groupBytesMax / 8);
    queue('x', 'x');
    queue('y', 'y');
    void post('a', 'a1', big + big + big);
    void post('b', 'b1', big);
    void post('c', 'c1', big);
    const [x, y] = [log.next(), log.next()];
    await x.answer();
    expect(log.calls[0]!.messages).toEqual(['a1']);
    await y.answer();
    expect(log.calls[1]!.messages).toEqual(['b1']);
  });

  it('carry what the log needs', async () => {
    void intake.post({
      conversationId: 'a',
      messageId: 'a1',
      sender: 'al"ice',
      ciphertext: 'c2VhbGVk',
      encryption: { scheme: 'x', key_id: 'k' },
    });
    void intake.post({
      conversationId: 'b',
      messageId: 'b1',
      sender: 'bob',
      ciphertext: 'AAAA',
      encryption: { scheme: 'x' },
    });
    const [request] = log.next().requests;
    expect(request).toMatchObject({ conversationId: 'a', messageId: 'a1', sender: 'al"ice' });
    expect(request!.eventId).toMatch(/^[0-9a-f-]{36}$/);
    expect(request!.contentHash).toHaveLength(32);
    expect(JSON.parse(request!.payload.reveal())).toEqual({
      ciphertext: 'c2VhbGVk',
      encryption: { scheme: 'x', key_id: 'k' },
      sender: 'al"ice',
    });
    expect(log.next().requests[0]!.payload.reveal()).toBe(
      '{"ciphertext":"AAAA","encryption":{"scheme":"x"},"sender":"bob"}',
    );
  });
});

describe('outcomes', () => {
  it('are those of the log', async () => {
    const answers = [posts('x', 'x'), posts('y', 'y')];
    const [a, b, c, d] = posts('a', 'a1', 'a2', 'a3', 'a4');
    await log.next().answer();
    await log.next().answer('not_member');
    await log.next().answer('accepted', 'duplicate', 'reused', 'not_member');
    expect(await answers[1]![0]).toEqual({ kind: 'not_member' });
    expect(await a).toEqual({ kind: 'accepted', seq: 2, occurredAt: 1000, epoch: 1 });
    expect(await b).toEqual({ kind: 'duplicate', seq: 7, occurredAt: 900, epoch: 1 });
    expect(await c).toEqual({ kind: 'reused' });
    expect(await d).toEqual({ kind: 'not_member' });
  });
});

describe('one message twice in a group', () => {
  async function group(...contents: string[]) {
    queue('x', 'x');
    queue('y', 'y');
    const answers = contents.map((content) => post('a', 'same', content));
    await log.next().answer();
    await log.next().answer();
    return answers;
  }

  it('goes to the log once, and the second is a duplicate', async () => {
    const [first, second, third] = await group('AAAA', 'AAAA', 'AAAA');
    const call = log.next();
    expect(call.messages).toEqual(['same']);
    await call.answer('accepted');
    expect(await first).toMatchObject({ kind: 'accepted', seq: 3 });
    expect(await second).toEqual({ kind: 'duplicate', seq: 3, occurredAt: 1000, epoch: 1 });
    expect(await third).toMatchObject({ kind: 'duplicate', seq: 3 });
  });

  it('shares a refusal', async () => {
    const answers = await group('AAAA', 'AAAA');
    await log.next().answer('not_member');
    expect(await Promise.all(answers)).toEqual([{ kind: 'not_member' }, { kind: 'not_member' }]);
  });

  it('but another content is judged after the first', async () => {
    const [first, other, again] = await group('AAAA', 'BBBB', 'AAAA');
    const call = log.next();
    expect(call.messages).toEqual(['same']);
    await call.answer('accepted');
    expect(await first).toMatchObject({ kind: 'accepted' });
    const second = log.next();
    expect(second.messages).toEqual(['same']);
    await second.answer('reused');
    expect(await other).toEqual({ kind: 'reused' });
    await log.next().answer('duplicate');
    expect(await again).toMatchObject({ kind: 'duplicate' });
  });
});

describe('a locked conversation', () => {
  it('waits at the side, and the main lane goes on', async () => {
    const [locked] = posts('a', 'a1');
    await log.next().answer('busy');
    const side = log.next();
    expect([side.messages, side.waitForLock]).toEqual([['a1'], true]);
    queue('b', 'b1');
    queue('c', 'c1');
    expect(log.next().waitForLock).toBe(false);
    expect(log.next().messages).toEqual(['c1']);
    await side.answer('accepted');
    expect(await locked).toMatchObject({ kind: 'accepted' });
  });

  it('keeps its order: what comes later waits behind', async () => {
    queue('x', 'x');
    queue('y', 'y');
    queue('a', 'a1', 'a2');
    queue('b', 'b1');
    await log.next().answer();
    await log.next().answer();
    const call = log.next();
    expect(call.messages).toEqual(['a1', 'a2', 'b1']);
    queue('a', 'a3');
    await call.answer('busy', 'busy', 'accepted');
    const side = log.next();
    expect(side.messages).toEqual(['a1', 'a2', 'a3']);
    await side.answer('accepted');
    expect(answered).toEqual(['x', 'y', 'b1', 'a1', 'a2', 'a3']);
    queue('a', 'a4');
    expect(log.next().waitForLock).toBe(false);
  });

  it('is tried again until two seconds after acceptance, then overloaded', async () => {
    const [answer] = posts('a', 'a1');
    await log.next().answer('busy');
    for (let tries = 0; tries < 4; tries++) {
      await clock.advance(500);
      await log.next().fail('contention');
    }
    expect(await answer).toEqual({ kind: 'overloaded', retryAfterMs: 750 });
    expect(log.calls).toEqual([]);
  });

  it('does not wait for ever for its turn at the side', async () => {
    const ids = Array.from({ length: bounds.intake.sideLanesMax + 1 }, (_, i) => `c${i}`);
    const answers = ids.map((id) => post(id, id));
    while (log.calls.some((call) => !call.waitForLock)) {
      const main = log.calls.findIndex((call) => !call.waitForLock);
      await log.calls.splice(main, 1)[0]!.answer('busy');
    }
    expect(log.calls).toHaveLength(bounds.intake.sideLanesMax);
    await clock.advance(bounds.intake.busyMaxMs + bounds.intake.sweepEveryMs);
    expect(await answers.at(-1)).toMatchObject({ kind: 'overloaded' });
    expect(answered).toEqual([ids.at(-1)]);
  });
});

describe('faults', () => {
  it('of contention are tried again', async () => {
    const [answer] = posts('a', 'a1');
    await log.next().fail('contention');
    await clock.advance(bounds.intake.contentionDelayMs);
    await log.next().answer('accepted');
    expect(await answer).toMatchObject({ kind: 'accepted' });
  });

  it('of contention are not tried for ever', async () => {
    const [answer] = posts('a', 'a1');
    for (let tries = 0; tries <= bounds.intake.contentionRetriesMax; tries++) {
      await log.next().fail('contention');
      await clock.advance(bounds.intake.contentionDelayMs * 2 ** tries);
    }
    expect(await answer).toMatchObject({ kind: 'overloaded' });
    expect(log.calls).toEqual([]);
  });

  it('of an outage are told at once: nobody knows what was committed', async () => {
    const [answer] = posts('a', 'a1');
    await log.next().fail('unavailable');
    expect(await answer).toEqual({ kind: 'unavailable', retryAfterMs: 1500 });
    expect(log.calls).toEqual([]);
  });

  it.each(['bad_row', 'unexpected'] as const)('of one row (%s) are that row’s alone', async (code) => {
    queue('x', 'x');
    queue('y', 'y');
    const answers = posts('a', 'a1', 'a2', 'bad', 'a4', 'a5');
    await log.next().answer();
    await log.next().answer();
    for (let calls = 0; calls < 20 && !answered.includes('a5'); calls++) {
      const call = log.next();
      await (call.messages.includes('bad') ? call.fail(code) : call.answer('accepted'));
    }
    expect((await Promise.all(answers)).map(({ kind }) => kind)).toEqual([
      'accepted',
      'accepted',
      'internal',
      'accepted',
      'accepted',
    ]);
    expect(answered).toEqual(['x', 'y', 'a1', 'a2', 'bad', 'a4', 'a5']);
  });

  it('of one row do not let a later message pass a locked one', async () => {
    queue('x', 'x');
    queue('y', 'y');
    queue('a', 'a1', 'a2');
    queue('b', 'bad');
    await log.next().answer();
    await log.next().answer();
    await log.next().fail('bad_row');
    await log.next().answer('busy', 'busy');
    const last = log.next();
    expect(last.messages).toEqual(['bad']);
    await last.answer('accepted');
    expect(log.next()).toMatchObject({ messages: ['a1', 'a2'], waitForLock: true });
  });

  it('that are none of ours count as unexpected', async () => {
    const broken = new Intake({
      intakeLog: { append: () => Promise.reject(new TypeError('a bug')) },
      clock,
      log: silentLog,
      onCommitted: () => undefined,
    });
    expect(
      await broken.post({ conversationId: 'a', messageId: 'm', sender: 's', ciphertext: 'AAAA' }),
    ).toEqual({ kind: 'internal' });
  });
});

describe('a log that hangs', () => {
  it('lets nobody wait for longer than the bound', async () => {
    const inFlight = posts('a', 'a1');
    queue('b', 'b1');
    const queued = posts('c', 'c1');
    await clock.advance(bounds.intake.answerMaxMs + bounds.intake.sweepEveryMs);
    expect(await inFlight[0]).toMatchObject({ kind: 'unavailable' });
    expect(await queued[0]).toMatchObject({ kind: 'unavailable' });
    const late = log.next();
    await late.answer('accepted');
    expect(log.calls).toHaveLength(1);
  });

  it('fills the queue, which then refuses at once', async () => {
    const { queueRowsMax } = bounds.intake;
    const ids = Array.from({ length: queueRowsMax }, (_, i) => `m${i}`);
    queue('a', ...ids);
    expect(await post('a', 'one too many')).toEqual({ kind: 'overloaded', retryAfterMs: 750 });
    await clock.advance(bounds.intake.answerMaxMs + bounds.intake.sweepEveryMs);
    expect(answered).toHaveLength(queueRowsMax + 1);
    queue('b', 'b1');
    expect(log.calls.at(-1)!.messages).toEqual(['b1']);
  });

  it('fills the queue by bytes too', async () => {
    const big = 'AAAA'.repeat(bounds.intake.queueBytesMax / 16);
    for (let i = 0; i < 3; i++) void post('a', `m${i}`, big);
    expect(await post('a', 'm3', big)).toMatchObject({ kind: 'overloaded' });
    expect(await Promise.race([post('a', 'small'), settle().then(() => 'taken')])).toBe('taken');
  });
});

describe('waking the dispatcher', () => {
  it('is done once for all that was committed within a moment', async () => {
    queue('a', 'a1');
    queue('b', 'b1');
    await log.next().answer();
    await log.next().answer();
    expect(woken).toEqual([]);
    await clock.advance(bounds.intake.wakeDelayMs);
    expect(woken).toEqual([[bucketOf('a'), bucketOf('b')]]);
  });

  it('is not done for what was there already', async () => {
    queue('a', 'a1');
    await log.next().answer('duplicate');
    await clock.advance(1000);
    expect(woken).toEqual([]);
  });
});

describe('draining', () => {
  it('finishes what is accepted, takes nothing more, and wakes', async () => {
    queue('a', 'a1');
    let isDone = false;
    const drained = intake.drain().then(() => (isDone = true));
    expect(await post('b', 'b1')).toMatchObject({ kind: 'overloaded' });
    await settle();
    expect(isDone).toBe(false);
    await log.next().answer('accepted');
    await drained;
    expect(woken).toEqual([[bucketOf('a')]]);
  });

  it('is done at once when nothing is open', async () => {
    await intake.drain();
    await intake.drain();
    expect(woken).toEqual([]);
  });

  it('ends though the log hangs', async () => {
    queue('a', 'a1');
    const drained = intake.drain();
    await clock.advance(bounds.intake.answerMaxMs + bounds.intake.sweepEveryMs);
    await drained;
    expect(answered).toEqual(['a1']);
  });
});
