import { afterAll, beforeAll, describe } from 'vitest';
import { conversationContract } from './conversation-contract.ts';
import { deadLetterContract } from './dead-letter-contract.ts';
import { dispatchContract } from './dispatch-contract.ts';
import { intakeContract } from './intake-contract.ts';
import type { LogUnderTest, MakeLog } from './log-under-test.ts';
import { membershipContract } from './membership-contract.ts';
import { pagesContract } from './pages-contract.ts';
import { readerContract } from './reader-contract.ts';

/** What every implementation of the log's ports promises. One log for all: the tests keep to conversations of their own. */
export function describeLogContract(name: string, makeLog: MakeLog): void {
  describe(`${name} keeps the log's contract`, () => {
    let log: LogUnderTest;
    beforeAll(async () => {
      log = await makeLog();
    });
    afterAll(() => log.close());

    const current = () => log;
    describe('IntakeLog', () => {
      intakeContract(current);
    });
    describe('ConversationLog', () => {
      conversationContract(current);
    });
    describe('ConversationLog, changing members', () => {
      membershipContract(current);
    });
    describe('ReaderLog, pages', () => {
      pagesContract(current);
    });
    describe('ReaderLog', () => {
      readerContract(current);
    });
    describe('DispatchLog', () => {
      dispatchContract(current);
    });
    describe('DeadLetterLog', () => {
      deadLetterContract(current);
    });
  });
}
