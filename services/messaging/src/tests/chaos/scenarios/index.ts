import type { Scenario } from '../scenario.ts';
import { POD_SCENARIOS } from './pods.ts';
import { REDIS_SCENARIOS } from './redis.ts';

/** In the order in which they are played. */
export const SCENARIOS: readonly Scenario[] = [...POD_SCENARIOS, ...REDIS_SCENARIOS];
