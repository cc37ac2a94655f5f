import type { ReceivedMessage } from './events.ts';
import type { Reader } from './inbox.ts';

export interface MessageSource {
  addReader(reader: Reader): void;
  removeReader(reader: Reader): void;
}

/**
 * Messages one by one. A message is taken when the next one is asked for; whoever leaves the loop has not taken the
 * one they were at, and gets it again.
 *
 * @param failed resolves when nothing more will come, with the reason where there is one
 */
export function readMessages(
  source: MessageSource,
  ended: Promise<Error | undefined>,
): AsyncIterableIterator<ReceivedMessage, undefined> {
  let offered: { message: ReceivedMessage; answer: (taken: boolean) => void } | undefined;
  let isHeld = false;
  let wake: () => void = () => undefined;
  let end: { error: Error | undefined } | undefined;

  const reader: Reader = (message) =>
    new Promise((answer) => {
      offered = { message, answer };
      wake();
    });
  const leave = (error: Error | undefined) => {
    end ??= { error };
    source.removeReader(reader);
    offered?.answer(false);
    offered = undefined;
    wake();
  };
  source.addReader(reader);
  void ended.then(leave);

  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (isHeld) {
        isHeld = false;
        const taken = offered;
        offered = undefined;
        taken?.answer(true);
      }
      while (offered === undefined && end === undefined) {
        await new Promise<void>((resolve) => (wake = resolve));
      }
      if (offered !== undefined) {
        isHeld = true;
        return { done: false, value: offered.message };
      }
      if (end?.error !== undefined) throw end.error;
      return { done: true, value: undefined };
    },
    async return() {
      leave(undefined);
      return { done: true, value: undefined };
    },
  };
}
