import { encodeMessageFrame, formatTime, HISTORY_PAGE_MAX_BYTES } from '@sanctum/protocol';
import type { Log } from '../../log.ts';
import { type LogItem, type PageView, viewPage } from '../../log-view.ts';
import type { Metrics } from '../../metrics.ts';
import type { Actor, LogMessage, LogPage, MembersAnswer, ReaderLog } from '../../ports.ts';

export interface HistoryDeps {
  readonly reader: Pick<ReaderLog, 'readPages' | 'readMembers' | 'readReplays'>;
  readonly metrics: Pick<Metrics, 'hubMissing'>;
  readonly log: Log;
}

export interface HistoryRequest {
  readonly conversationId: string;
  readonly actor: Actor;
  readonly after: number;
  readonly limit: number;
}

export type HistoryAnswer =
  | { readonly kind: 'page'; readonly json: string }
  | { readonly kind: 'conversation_not_found' | 'cursor_ahead' };

/**
 * A page of a conversation's past for one reader.
 *
 * Membership has the last word: where it may have changed while the rows were read, it is read once more behind
 * them. So nobody gets what was committed after their removal.
 */
export async function readHistory(deps: HistoryDeps, request: HistoryRequest): Promise<HistoryAnswer> {
  const { reader } = deps;
  const { conversationId, actor, after, limit } = request;
  const membership = async () => (await reader.readMembers([{ conversationId, userIds: [actor.userId] }]))[0];
  const readPage = async (from: number) =>
    (await reader.readPages([{ conversationId, after: from, limit, maxBytes: HISTORY_PAGE_MAX_BYTES }]))[0];

  const members = await membership();
  let joinedSeq = joinedSeqOf(members, actor);
  if (members === undefined || joinedSeq === undefined) return { kind: 'conversation_not_found' };
  const from = Math.max(after, joinedSeq - 1);
  let page = await readPage(from);
  if (page === undefined) return { kind: 'conversation_not_found' };
  if (after > page.head) return { kind: 'cursor_ahead' };

  const { floor } = page;
  const survivors = floor > from ? await readSurvivors(deps, request, { from, floor }) : undefined;
  if (survivors !== undefined) page = { ...page, rows: [], floor: survivors.upTo, complete: false };
  let view = viewPage(page, { after, joinedSeq, confirmed: false, survivors: survivors?.messages ?? [] });
  if (view.stop === 'suspect') {
    page = await readPage(from);
    if (page === undefined) return { kind: 'conversation_not_found' };
    view = viewPage(page, { after, joinedSeq, confirmed: true });
    reportMissing(deps, request, view);
  }

  if (page.membersVersion !== members.membersVersion || survivors !== undefined) {
    const since = joinedSeqOf(await membership(), actor);
    if (since === undefined) return { kind: 'conversation_not_found' };
    // Left and came back meanwhile: what was read belongs to a time that is not theirs any more.
    if (since !== joinedSeq) view = viewPage(page, { after, joinedSeq: since, confirmed: true });
    joinedSeq = since;
  }
  const min = Math.max(joinedSeq, floor + 1);
  return { kind: 'page', json: historyJson(page, { view, min }) };
}

/** The first seq that the actor may read; undefined where they may read nothing. */
function joinedSeqOf(members: MembersAnswer | undefined, actor: Actor): number | undefined {
  const membership = members?.members.get(actor.userId);
  if (membership !== undefined && membership.leftSeq === undefined) return membership.joinedSeq;
  return members !== undefined && actor.operate ? 1 : undefined;
}

/**
 * Dead letters outlive their day; one that an operator has had sent again can still be read below the floor.
 * Where there are any they make up the page; what is above the floor comes with the next one.
 */
async function readSurvivors(
  { reader }: HistoryDeps,
  { conversationId, limit }: HistoryRequest,
  range: { readonly from: number; readonly floor: number },
): Promise<{ messages: readonly LogMessage[]; upTo: number } | undefined> {
  const [replays] = await reader.readReplays([
    { conversationId, from: range.from + 1, to: range.floor, limit, maxBytes: HISTORY_PAGE_MAX_BYTES },
  ]);
  const last = replays?.messages.at(-1);
  if (replays === undefined || last === undefined) return undefined;
  return { messages: replays.messages, upTo: replays.complete ? range.floor : last.seq };
}

function reportMissing(
  { metrics, log }: HistoryDeps,
  { conversationId }: HistoryRequest,
  view: PageView,
): void {
  if (view.missing === 0) return;
  metrics.hubMissing.inc(view.missing);
  log.error('log_rows_missing', { conversation_id: conversationId, count: view.missing, up_to: view.next });
}

function historyJson(page: LogPage, { view, min }: { view: PageView; min: number }): string {
  const messages: string[] = [];
  const gaps: string[] = [];
  for (const item of view.items) (item.kind === 'message' ? messages : gaps).push(itemJson(item));
  return (
    `{"epoch":${page.epoch},"messages":[${messages.join(',')}],"gaps":[${gaps.join(',')}],` +
    `"head":${page.head},"min":${min},"next_after":${view.next}}`
  );
}

function itemJson(item: LogItem): string {
  if (item.kind === 'gap') return `{"from":${item.from},"to":${item.to},"reason":"${item.reason}"}`;
  const { message } = item;
  return encodeMessageFrame({
    conversationId: message.conversationId,
    seq: message.seq,
    messageId: message.messageId,
    eventType: message.eventType,
    occurredAt: formatTime(message.occurredAt),
    membersVersion: message.membersVersion,
    payloadJson: message.payload.reveal(),
    replay: message.replayNo,
  });
}
