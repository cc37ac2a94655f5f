import { type Me, pipelineHistoryQuery, type PipelineHistory } from '@sanctum/protocol/admin';
import { formatTime } from '@sanctum/protocol';
import { HISTORY_STEP_MS, type PipelineHistory as History } from '../../../operations/pipeline-history.ts';
import type { PipelineWatch } from '../../../operations/pipeline-watch.ts';
import { adminRoute, type AdminRoute } from './admin-route.ts';
import type { EventStreams } from './event-stream.ts';

export function pipelineRoutes(deps: {
  readonly pod: string;
  readonly watch: PipelineWatch;
  readonly history: History;
  readonly events: EventStreams;
}): AdminRoute[] {
  const { pod, watch, history, events } = deps;
  return [
    adminRoute('GET', '/me', {}, async ({ by, identity }) => {
      const body: Me = { sub: by, expires_at: formatTime(identity.expiresAt) };
      return { body };
    }),
    adminRoute('GET', '/pipeline', {}, async () => ({ body: await watch.look() })),
    {
      method: 'GET',
      path: '/pipeline/stream',
      handler: (request, reply) =>
        events.serve(request, reply, { name: 'pipeline', data: () => watch.look() }),
    },
    adminRoute('GET', '/pipeline/history', { query: pipelineHistoryQuery }, async ({ query }) => {
      const points = history.last(query.minutes);
      const body: PipelineHistory = { answered_by: pod, step_ms: HISTORY_STEP_MS, points };
      return { body };
    }),
  ];
}
