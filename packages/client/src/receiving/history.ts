import { PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, type MessageFrame } from '@sanctum/protocol';
import type { Http } from '../http.ts';
import type { StorageTransaction } from '../storage/storage.ts';
import type { Gap, ReceivedMessage } from './events.ts';
import type { MessageOpener } from './message-opener.ts';

/** The answer of `GET …/messages`. */
export interface HistoryAnswer {
  readonly epoch: number;
  readonly messages: readonly MessageFrame[];
  readonly gaps: readonly { from: number; to: number; reason: string }[];
  readonly head: number;
  readonly min: number;
  readonly next_after: number;
}

export interface HistoryOptions {
  /** Messages behind this `seq`; from the first readable one unless given. */
  readonly after?: number | undefined;
  /**
   * Instead of `after`: the messages before this `seq`, for scrolling back. Large messages may fill a page early: while
   * `nextAfter` is below `before` − 1, the rest comes with `after: nextAfter`. Before the first one, 1, there is nothing
   * to ask for, which is a `RangeError`.
   */
  readonly before?: number | undefined;
  /** 1–500, no more; 100 unless given. A page may be shorter. */
  readonly limit?: number | undefined;
}

export interface History {
  /** Ascending by `seq`. */
  readonly messages: readonly ReceivedMessage[];
  readonly gaps: readonly Gap[];
  /** The last `seq` of the conversation. */
  readonly head: number;
  /** The lowest that this user may read. */
  readonly min: number;
  /**
   * What to give as `after` for the next page; there is none once it is `head`. Where it is the `after` that was given,
   * the next message is being tried again by the service: ask anew in a second.
   */
  readonly nextAfter: number;
}

/** One page as the server gives it. */
export function readPage(
  http: Http,
  conversationId: string,
  { after, limit }: { after: number; limit: number },
): Promise<HistoryAnswer> {
  const query = `after=${after}&limit=${Math.min(limit, PAGE_LIMIT_MAX)}`;
  return http.ask({ method: 'GET', path: `/v1/conversations/${conversationId}/messages?${query}` });
}

/** A page of a conversation, decrypted. It moves no cursor. */
export async function readHistory<Tx extends StorageTransaction>(
  http: Http,
  opener: MessageOpener<Tx>,
  conversationId: string,
  { after, before, limit = PAGE_LIMIT_DEFAULT }: HistoryOptions,
): Promise<History> {
  const from = after ?? (before === undefined ? 0 : Math.max(0, before - 1 - limit));
  const count = before === undefined ? limit : Math.min(limit, before - 1 - from);
  if (count < 1) throw new RangeError('nothing is there');
  const page = await readPage(http, conversationId, { after: from, limit: count });
  const messages: ReceivedMessage[] = [];
  for (const frame of page.messages) {
    // In their order: a cipher whose keys move on opens them so.
    const { message, isHidden } = await opener.open(frame);
    if (!isHidden) messages.push(message);
  }
  const gaps = page.gaps.map((gap) => ({ conversationId, ...gap }));
  return { messages, gaps, head: page.head, min: page.min, nextAfter: page.next_after };
}
