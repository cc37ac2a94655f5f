import {
  LegendDisplayMode,
  LegendPlacement,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { workspaceDir } from '@sanctum/local-servers';
import path from 'node:path';
import { rows, type PanelSpec } from './panels.ts';

export const DASHBOARD_FILE = path.join(workspaceDir, 'deploy/grafana/dashboards/realtime-messaging.json');

const PANEL_HEIGHT = 8;
/** Chosen in Grafana where there are several. */
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** The dashboard as Grafana imports it. */
export function dashboardJson(): string {
  const dashboard = new DashboardBuilder('Realtime Messaging Overview')
    .uid('realtime-messaging')
    .tags(['messaging'])
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'));
  for (const row of rows) {
    dashboard.withRow(new RowBuilder(row.title));
    for (const spec of row.panels) dashboard.withPanel(panel(spec));
  }
  return `${JSON.stringify(dashboard.build(), undefined, 2)}\n`;
}

function panel(spec: PanelSpec): PanelBuilder {
  const builder = new PanelBuilder()
    .title(spec.title)
    .description(spec.description)
    .unit(spec.unit)
    .min(0)
    .span(spec.width)
    .height(PANEL_HEIGHT)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
    .datasource(DATASOURCE);
  spec.queries.forEach(({ expr, legend }, index) => {
    const refId = String.fromCharCode('A'.charCodeAt(0) + index);
    builder.withTarget(
      new DataqueryBuilder().expr(expr).legendFormat(legend).refId(refId).range().datasource(DATASOURCE),
    );
  });
  return builder;
}
