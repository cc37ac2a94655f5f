import { useState } from 'preact/hooks';
import { HistoryChart } from '../charts/history-chart.tsx';
import {
  BACKLOG,
  BEHIND,
  type ChartSpec,
  CONNECTIONS,
  ERRORS,
  LATENCY,
  THROUGHPUT,
} from '../charts/series.ts';
import { useHistory } from '../charts/use-history.ts';
import { useConsole } from '../ui/context.ts';
import { Panel } from '../ui/panel.tsx';

const RANGES_MINUTES = [5, 15, 30] as const;
const CHARTS: readonly ChartSpec[] = [LATENCY, THROUGHPUT, ERRORS, BACKLOG, BEHIND, CONNECTIONS];

export function ChartsView() {
  const { api } = useConsole();
  const [minutes, setMinutes] = useState<number>(15);
  const history = useHistory(api, minutes);
  const by = history.data?.answered_by;
  return (
    <>
      <div class="toolbar">
        <div class="choice" role="group" aria-label="Range">
          {RANGES_MINUTES.map((range) => (
            <button
              key={range}
              type="button"
              aria-pressed={range === minutes}
              onClick={() => setMinutes(range)}
            >
              {range} min
            </button>
          ))}
        </div>
        <p class="note">
          Over all pods, as {by ?? 'the pod that answers'} has seen them since its start. Times are UTC.
        </p>
      </div>
      <div class="pair">
        {CHARTS.map((chart) => (
          <Panel key={chart.name} title={chart.name}>
            <HistoryChart history={history} chart={chart} />
          </Panel>
        ))}
      </div>
    </>
  );
}
