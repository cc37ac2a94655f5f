import { runScenarioCommand } from '../chaos/scenario-command.ts';
import { HOSTILE_SCENARIOS } from './scenarios.ts';

runScenarioCommand({
  command: 'pnpm test:hostile',
  about:
    'Real pods under load, and one of them under attack; the history checker on what everybody else posted and received.',
  scenarios: HOSTILE_SCENARIOS,
  report: 'docs/evidence/hostile.ndjson',
});
