import { runScenarioCommand } from './scenario-command.ts';
import { SCENARIOS } from './scenarios/index.ts';

runScenarioCommand({
  command: 'pnpm test:chaos',
  about:
    'Real pods, PostgreSQL and Redis under load; a fault; and the history checker on all that was posted and received.',
  scenarios: SCENARIOS,
  report: 'docs/evidence/chaos.ndjson',
});
