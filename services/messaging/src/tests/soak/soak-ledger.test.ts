import { expect, test } from 'vitest';
import { SoakLedger } from './soak-ledger.ts';

/** A ledger with these conversations open. */
function ledgerOf(...conversations: string[]): SoakLedger {
  const ledger = new SoakLedger(2);
  for (const conversation of conversations) ledger.open(conversation);
  return ledger;
}

const kinds = (ledger: SoakLedger) => ledger.violations.map(({ check }) => check);

test('what is as it should be breaks nothing, whichever comes first', () => {
  const ledger = ledgerOf('c');
  ledger.postAccepted('c', 1, 'a');
  ledger.delivered('c', 1, 'a', 'a');
  ledger.delivered('c', 2, 'b', 'b');
  ledger.postAccepted('c', 2, 'b');
  ledger.delivered('c', 2, 'b', 'b');
  ledger.close('c', 2);
  expect(ledger.violations).toEqual([]);
});

test('two messages at one place, one message at two, changed bytes', () => {
  const ledger = ledgerOf('c');
  ledger.postAccepted('c', 1, 'a');
  ledger.delivered('c', 1, 'b', 'b');
  expect(kinds(ledger)).toEqual(['place']);
  ledger.delivered('c', 2, 'a', 'a');
  expect(ledger.violations[0]?.count).toBe(2);
  ledger.delivered('c', 3, 'd', 'e');
  expect(kinds(ledger)).toEqual(['place', 'content']);
});

test('the head that is due is that of some ticks ago', () => {
  const ledger = ledgerOf('c');
  ledger.postAccepted('c', 1, 'a');
  ledger.tick();
  ledger.postAccepted('c', 2, 'b');
  expect(ledger.lateHead('c')).toBe(0);
  ledger.tick();
  expect(ledger.lateHead('c')).toBe(1);
  ledger.tick();
  expect(ledger.lateHead('c')).toBe(2);
});

test('the log has to hold what was accepted, and no more than was posted', () => {
  const ledger = ledgerOf('lost', 'whole', 'unknown', 'more');
  for (const [conversation, lastSeq] of [
    ['lost', 1],
    ['whole', 2],
    ['unknown', 3],
    ['more', 4],
  ] as const) {
    ledger.postAccepted(conversation, 1, `${conversation}-1`);
    ledger.postAccepted(conversation, 2, `${conversation}-2`);
    ledger.postUnknown(conversation);
    ledger.close(conversation, lastSeq);
  }
  expect(ledger.violations).toMatchObject([
    { check: 'count', count: 2, examples: [/^lost/, /^more/].map((text) => expect.stringMatching(text)) },
  ]);
});

test('memory does not grow with messages: old places are forgotten', () => {
  const ledger = ledgerOf('c');
  for (let seq = 1; seq <= 600; seq += 1) ledger.postAccepted('c', seq, `id-${seq}`);
  ledger.delivered('c', 1, 'another', 'another');
  expect(ledger.violations).toEqual([]);
  ledger.delivered('c', 600, 'another one', 'another one');
  expect(kinds(ledger)).toEqual(['place']);
});
