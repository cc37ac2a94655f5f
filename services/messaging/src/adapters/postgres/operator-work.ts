import { formatTime } from '@sanctum/protocol';
import type { DeadLetterKind, Job } from '@sanctum/protocol/admin';
import type { DeadLetterFilter, PostgresDeadLetters } from './dead-letters.ts';
import type { OperatorJobs } from './operator-jobs.ts';
import type { PostgresReplayLog, ReplayEstimate, ReplayRange } from './replay-log.ts';

/** Who asks for it, and why. */
interface Asked {
  readonly by: string;
  readonly reason: string | undefined;
}

/** Begins to send again what the estimate counted: of what comes meanwhile, nothing. */
export function startReplay(
  { jobs, replays }: { readonly jobs: OperatorJobs; readonly replays: PostgresReplayLog },
  { range, estimate, by, reason }: Asked & { readonly range: ReplayRange; readonly estimate: ReplayEstimate },
): Promise<Job> {
  const { conversationId, since, until } = range;
  return jobs.start({
    kind: 'replay',
    by,
    total: estimate.messages,
    target: conversationId,
    parameters: {
      conversation_id: conversationId,
      since: formatTime(since),
      until: formatTime(until),
      reason,
    },
    first: { after: (estimate.from ?? 1) - 1, to: estimate.to ?? 0 },
    piece: (session, place) => replays.piece(session, range, place),
  });
}

/** Begins to requeue what the estimate counted, up to its `lastId`. */
export function startRequeue(
  { jobs, deadLetters }: { readonly jobs: OperatorJobs; readonly deadLetters: PostgresDeadLetters },
  asked: Asked & {
    readonly kind: DeadLetterKind;
    readonly filter: DeadLetterFilter;
    readonly estimate: { readonly messages: number; readonly lastId: number };
  },
): Promise<Job> {
  const { kind, filter, estimate, by, reason } = asked;
  const { ids, cause, conversationId } = filter;
  return jobs.start({
    kind: 'requeue',
    by,
    total: estimate.messages,
    target: conversationId ?? kind,
    parameters: { kind, cause, conversation_id: conversationId, ids, reason },
    first: { after: 0, to: estimate.lastId },
    piece: (session, place) => deadLetters.piece(session, { kind, filter }, place),
  });
}
