// Makes the dashboard's JSON anew from panels.ts: `node --import tsx deploy/src/grafana/write-dashboard.ts`.
import { writeFileSync } from 'node:fs';
import { DASHBOARD_FILE, dashboardJson } from './dashboard.ts';

writeFileSync(DASHBOARD_FILE, dashboardJson());
