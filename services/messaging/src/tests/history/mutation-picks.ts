import type { HistoryEvent, HistoryEventOf } from './history.ts';
import type { Story } from './story.ts';

/* Choosing one event of a story, by a number, and what may be chosen. */

type Message = HistoryEventOf<'message'>;

export type Matches<E extends HistoryEvent> = (event: HistoryEvent, index: number) => event is E;

/** Replaces one event that fits; `undefined` from `change`: not this one after all. */
export function edit<E extends HistoryEvent>(
  story: Story,
  n: number,
  matches: Matches<E>,
  change: (event: E) => HistoryEvent[] | undefined,
): boolean {
  const found = pick(story, n, matches);
  const changed = found && change(found.event);
  if (changed === undefined) return false;
  story.events.splice(found!.index, 1, ...changed);
  return true;
}

export function pick<E extends HistoryEvent>(
  story: Story,
  n: number,
  matches: Matches<E>,
): { event: E; index: number } | undefined {
  const found = story.events.flatMap((event, index) => (matches(event, index) ? [{ event, index }] : []));
  return found[n % found.length];
}

export const isFresh = (event: HistoryEvent): event is Message =>
  event.type === 'message' && event.replay === undefined;
export const isRemoval = (event: HistoryEvent): event is HistoryEventOf<'member'> =>
  event.type === 'member' && event.change === 'removed';

export const frameOf = ({ at, connection, conversationId }: HistoryEventOf<'member'>) => ({
  at,
  connection,
  conversationId,
});

export const isSameReader = (one: Message, other: Message): boolean =>
  one.connection === other.connection && one.conversationId === other.conversationId;

/** Of a connection that is open at the end, and follows the conversation until then. */
export function staysOpen(
  story: Story,
  { connection, conversationId, at }: { connection: string; conversationId: string; at: number },
): boolean {
  return !story.events.some(
    (event) =>
      (event.type === 'close' && event.connection === connection) ||
      (event.type === 'member' &&
        event.connection === connection &&
        event.conversationId === conversationId &&
        event.at > at),
  );
}

export function isCurrent(story: Story): Matches<Message> {
  return (event): event is Message => isFresh(event) && staysOpen(story, event);
}

export function isAlive(story: Story): Matches<Message> {
  return (event): event is Message =>
    isCurrent(story)(event, 0) && event.seq > story.log.get(event.conversationId)!.floor;
}

export function isCurrentGap(story: Story, reason?: string): Matches<HistoryEventOf<'gap'>> {
  return (event): event is HistoryEventOf<'gap'> => {
    if (event.type !== 'gap' || (reason !== undefined && event.reason !== reason)) return false;
    return staysOpen(story, event) && event.to > story.log.get(event.conversationId)!.floor;
  };
}

/** Of a message that the final log holds where it was answered. */
export function isAnswer(story: Story): Matches<HistoryEventOf<'post_ok'>> {
  return (event): event is HistoryEventOf<'post_ok'> => {
    if (event.type !== 'post_ok' || event.epoch !== story.epoch) return false;
    const id = messageOf(story, event);
    return [...story.log.values()].some(({ rows }) => rows.get(event.seq!)?.messageId === id);
  };
}

export function isFirstPost(story: Story): Matches<HistoryEventOf<'post'>> {
  return (event, index): event is HistoryEventOf<'post'> =>
    event.type === 'post' &&
    story.events.findIndex((other) => other.type === 'post' && other.messageId === event.messageId) === index;
}

export function seqOf(story: Story, conversationId: string, messageId: string): number | undefined {
  const rows = story.log.get(conversationId)!.rows.values();
  return [...rows].find((row) => row.messageId === messageId)?.seq;
}

export function messageOf(story: Story, { post }: HistoryEventOf<'post_ok'>): string | undefined {
  const begun = story.events.find((event) => event.type === 'post' && event.post === post);
  return begun?.type === 'post' ? begun.messageId : undefined;
}
