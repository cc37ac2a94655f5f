import { type Connections } from '@sanctum/protocol/admin';
import type { Fleet } from '../../../operations/fleet.ts';
import type { PodQuestions } from '../../../operations/pod-questions.ts';
import type { PostgresPool } from '../../postgres/pool.ts';
import { viewStorage } from '../../postgres/storage-view.ts';
import type { StreamInspector } from '../../redis/stream-inspector.ts';
import { traceWhole } from '../../trace.ts';
import { decodeCursor, encodeCursor } from '../page-cursor.ts';
import { ProblemError } from '../problems.ts';
import { adminHandlers } from './admin-route.ts';

/** Looking into things: a message's way, connections, partitions, the stream's groups. Nothing is changed. */
export function inspectionRoutes(deps: {
  readonly pool: PostgresPool;
  readonly inspector: StreamInspector;
  readonly fleet: Fleet;
  readonly questions: PodQuestions;
  readonly partitions: number;
  readonly retention: { readonly outboxDays: number; readonly dlqDays: number };
}) {
  const { pool, inspector, fleet, questions, partitions, retention } = deps;

  return adminHandlers({
    async traceMessage({ params, query }) {
      const body = await traceWhole(
        { pool, inspector, questions, partitions },
        { messageId: params.message_id, conversationId: query.conversation_id },
      );
      if (body === undefined) throw new ProblemError('not_found');
      return { body };
    },

    async listConnections({ query }) {
      const { pod, state, slow, user_id: userId, cursor, limit } = query;
      const after = cursor === undefined ? undefined : decodeCursor(cursor, isConnectionId);
      if (cursor !== undefined && after === undefined) throw new ProblemError('invalid_parameter');
      // By id over all pods: each is asked for a whole page, since any of them may hold all of it.
      const { answers, missing } = await questions.ask({
        about: 'connections',
        filter: { pod, state, slow, userId, after, limit: limit + 1 },
      });
      const found = answers
        .flatMap(({ connections = [] }) => connections)
        .sort((a, b) => (a.connection_id < b.connection_id ? -1 : 1));
      const page = found.slice(0, limit);
      const body: Connections = {
        connections: page,
        next_cursor: found.length > limit ? encodeCursor(page.at(-1)!.connection_id) : null,
        by_pod: answers.flatMap(({ summary }) => (summary === undefined ? [] : [summary])),
        pods_missing: [...missing],
      };
      return { body };
    },

    getPartitions: async () => ({ body: await viewStorage(pool, retention) }),
    async getConsumers() {
      const alive = new Set(
        fleet
          .alive()
          .filter(({ consumer }) => consumer)
          .map(({ name }) => name),
      );
      return { body: await inspector.groups((consumer) => alive.has(consumer)) };
    },
  });
}

function isConnectionId(key: unknown): key is string {
  return typeof key === 'string' && key.length > 0 && key.length <= 64;
}
