import { type Me, type PipelineHistory } from '@sanctum/protocol/admin';
import { formatTime } from '@sanctum/protocol';
import { HISTORY_STEP_MS, type PipelineHistory as History } from '../../../operations/pipeline-history.ts';
import type { PipelineWatch } from '../../../operations/pipeline-watch.ts';
import { adminHandlers, type AdminHandler } from './admin-route.ts';
import type { EventStreams } from './event-stream.ts';

export function pipelineRoutes(deps: {
  readonly pod: string;
  readonly watch: PipelineWatch;
  readonly history: History;
  readonly events: EventStreams;
}) {
  const { pod, watch, history, events } = deps;
  const streamPipeline: AdminHandler = (request, reply) =>
    events.serve(request, reply, { name: 'pipeline', data: () => watch.look() });
  const handlers = adminHandlers({
    async getMe({ by, identity }) {
      const body: Me = { sub: by, expires_at: formatTime(identity.expiresAt) };
      return { body };
    },
    getPipeline: async () => ({ body: await watch.look() }),
    async getPipelineHistory({ query }) {
      const points = history.last(query.minutes);
      const body: PipelineHistory = { answered_by: pod, step_ms: HISTORY_STEP_MS, points };
      return { body };
    },
  });
  return { ...handlers, streamPipeline };
}
