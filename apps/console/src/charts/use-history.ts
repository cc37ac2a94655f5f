import type { PipelineHistory } from '@sanctum/protocol/admin';
import type { Api } from '../server/api.ts';
import { type Loaded, useLoad } from '../ui/hooks.ts';

const REFRESH_MS = 5_000;

/** The last minutes as the pod that answers has seen them, renewed every few seconds. */
export function useHistory(api: Api, minutes: number): Loaded<PipelineHistory> {
  return useLoad(
    `history ${minutes}`,
    (signal) => api.get<PipelineHistory>('pipeline/history', { minutes }, signal),
    REFRESH_MS,
  );
}
