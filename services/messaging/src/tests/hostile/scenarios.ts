import type { Scenario } from '../chaos/scenario.ts';
import { asScenario } from './attack.ts';
import { ATTACKS } from './attacks.ts';

export const HOSTILE_SCENARIOS: readonly Scenario[] = ATTACKS.map(asScenario);
