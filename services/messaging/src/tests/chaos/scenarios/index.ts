import type { Scenario } from '../scenario.ts';
import { FLEET_SCENARIOS } from './fleet.ts';
import { LIMIT_SCENARIOS } from './limits.ts';
import { NETWORK_SCENARIOS } from './network.ts';
import { POD_SCENARIOS } from './pods.ts';
import { POISON_SCENARIOS } from './poison.ts';
import { POSTGRES_SCENARIOS } from './postgres.ts';
import { REDIS_DATA_SCENARIOS } from './redis-data.ts';
import { REDIS_OUTAGE_SCENARIOS } from './redis-outages.ts';

/** In the order in which they are played. */
export const SCENARIOS: readonly Scenario[] = [
  ...POD_SCENARIOS,
  ...REDIS_DATA_SCENARIOS,
  ...REDIS_OUTAGE_SCENARIOS,
  ...POSTGRES_SCENARIOS,
  ...POISON_SCENARIOS,
  ...NETWORK_SCENARIOS,
  ...FLEET_SCENARIOS,
  ...LIMIT_SCENARIOS,
];
