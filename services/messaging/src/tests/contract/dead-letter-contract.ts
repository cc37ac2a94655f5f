import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { StreamEntry } from '../../ports.ts';
import { Sealed } from '../../sealed.ts';
import type { LogUnderTest } from './log-under-test.ts';

export function deadLetterContract(log: () => LogUnderTest): void {
  const entry = (fields: Partial<StreamEntry>): StreamEntry => ({
    stream: 'sanctum:messages',
    entryId: `${randomUUID()}-0`,
    content: undefined,
    reason: 'invalid_seq',
    deliveries: 1,
    fields: new Sealed('{}'),
    eventId: undefined,
    conversationId: undefined,
    occurredAt: undefined,
    ...fields,
  });
  const recorded = async (entryId: string, group = 'messaging-hub') =>
    (await log().operator.deadLetters()).filter((row) => row.entryId === entryId && row.group === group);

  test('a malformed entry is kept once, and counted each time', async () => {
    const [one, two] = [entry({}), entry({ reason: 'not_json' })];
    await log().deadLetters.recordMalformed([one, two], 'messaging-hub');
    await log().deadLetters.recordMalformed([one], 'messaging-hub');
    expect(await recorded(one.entryId)).toMatchObject([{ reason: 'invalid_seq', attempts: 2 }]);
    expect(await recorded(two.entryId)).toMatchObject([{ reason: 'not_json', attempts: 1 }]);
  });

  test('each group has its own', async () => {
    const one = entry({});
    await log().deadLetters.recordMalformed([one], 'messaging-hub');
    await log().deadLetters.recordMalformed([one], 'another');
    expect(await recorded(one.entryId)).toMatchObject([{ attempts: 1 }]);
    expect(await recorded(one.entryId, 'another')).toMatchObject([{ attempts: 1 }]);
  });

  test('an entry twice in one call is one', async () => {
    const one = entry({});
    await log().deadLetters.recordMalformed([one, one], 'messaging-hub');
    expect(await recorded(one.entryId)).toMatchObject([{ attempts: 1 }]);
    await log().deadLetters.recordMalformed([], 'messaging-hub');
  });

  test('whatever bytes an entry holds, it is recorded', async () => {
    const strange = 'NUL \0, half a pair \uD800, \uDC00, and "quotes" \\ {braces}, NULL';
    const one = entry({
      fields: new Sealed(strange.repeat(1000)),
      eventId: strange,
      conversationId: strange,
      occurredAt: strange,
    });
    await log().deadLetters.recordMalformed(
      [one, entry({ eventId: 'NULL', conversationId: '', occurredAt: '{}' })],
      'messaging-hub',
    );
    expect(await recorded(one.entryId)).toMatchObject([{ attempts: 1 }]);
  });

  test('consumers that record the same entries at once do not stop each other', async () => {
    const entries = Array.from({ length: 50 }, () => entry({}));
    const group = `group-${randomUUID()}`;
    await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        log().deadLetters.recordMalformed(index % 2 === 0 ? entries : entries.toReversed(), group),
      ),
    );
    expect(await recorded(entries[0]!.entryId, group)).toMatchObject([{ attempts: 6 }]);
  });
}
