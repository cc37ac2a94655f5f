import { formatTime } from '@sanctum/protocol';
import { type DeadLetters, type JobEstimate, type Jobs } from '@sanctum/protocol/admin';
import type { Clock } from '../../../clock.ts';
import type { PodQuestions } from '../../../operations/pod-questions.ts';
import type { PostgresDeadLetters } from '../../postgres/dead-letters.ts';
import type { OperatorJobs } from '../../postgres/operator-jobs.ts';
import { startReplay, startRequeue } from '../../postgres/operator-work.ts';
import type { PostgresReplayLog } from '../../postgres/replay-log.ts';
import { ProblemError } from '../problems.ts';
import { adminHandlers } from './admin-route.ts';
import { decodePlace, encodePlace } from './places.ts';

/** What died, what is sent again, and the long work of doing so. */
export function deadLetterRoutes(deps: {
  readonly deadLetters: PostgresDeadLetters;
  readonly replays: PostgresReplayLog;
  readonly jobs: OperatorJobs;
  readonly questions: PodQuestions;
  readonly clock: Clock;
}) {
  const { deadLetters, replays, jobs, questions, clock } = deps;

  return adminHandlers({
    async listDeadLetters({ query }) {
      const { kind, cause, conversation_id: conversationId, cursor, limit } = query;
      const before = decodePlace(cursor);
      const [found, causes] = await Promise.all([
        deadLetters.list(kind, { cause, conversationId }, { before, limit: limit + 1 }),
        deadLetters.causes(kind),
      ]);
      const page = found.slice(0, limit);
      const body: DeadLetters = {
        dead_letters: page,
        next_cursor: found.length > limit ? encodePlace(Number(page.at(-1)!.id)) : null,
        causes,
        total: causes.reduce((sum, { count }) => sum + count, 0),
      };
      return { body };
    },

    async requeueDeadLetters({ body, by }) {
      const { kind, ids, cause, conversation_id: conversationId, dry_run: dryRun, reason } = body;
      if (ids?.some((id) => !/^[1-9]\d{0,15}$/.test(id))) throw new ProblemError('invalid_body');
      const filter = { ids, cause, conversationId };
      const { lastId, conversationIds, ...estimate } = await deadLetters.estimate(kind, filter);
      if (dryRun) {
        const answer: JobEstimate = { ...estimate, ...(await questions.reach(conversationIds)) };
        return { body: answer };
      }
      const job = await startRequeue(
        { jobs, deadLetters },
        { kind, filter, estimate: { messages: estimate.messages, lastId }, by, reason },
      );
      return { status: 202, body: job };
    },

    async startReplay({ body, by }) {
      const { conversation_id: conversationId, dry_run: dryRun, reason } = body;
      const until = body.until === undefined ? clock.now() : Date.parse(body.until);
      const range = { conversationId, since: Date.parse(body.since), until };
      const estimate = await replays.estimate(range);
      if (dryRun) {
        const answer: JobEstimate = {
          ...estimate,
          ...(await questions.reach([conversationId])),
          until: formatTime(until),
        };
        return { body: answer };
      }
      const job = await startReplay({ jobs, replays }, { range, estimate, by, reason });
      return { status: 202, body: job };
    },

    async listJobs() {
      const body: Jobs = { jobs: await jobs.list() };
      return { body };
    },
    async getJob({ params }) {
      const job = await jobs.get(params.job_id);
      if (job === undefined) throw new ProblemError('not_found');
      return { body: job };
    },
    async stopJob({ params, by }) {
      const job = await jobs.stop(params.job_id, by);
      if (job === undefined) throw new ProblemError('not_found');
      return { body: job };
    },
  });
}
