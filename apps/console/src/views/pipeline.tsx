import type { Pod } from '@sanctum/protocol/admin';
import { HistoryChart } from '../charts/history-chart.tsx';
import { LATENCY, THROUGHPUT } from '../charts/series.ts';
import { useHistory } from '../charts/use-history.ts';
import { countText, millisecondsText } from '../format.ts';
import { Findings } from '../pipeline/findings.tsx';
import { StageCard } from '../pipeline/stage-card.tsx';
import { STALE_AFTER_MS } from '../pipeline/use-live-pipeline.ts';
import { Age } from '../ui/age.tsx';
import { useConsole } from '../ui/context.ts';
import { useNow } from '../ui/hooks.ts';
import { Status, type Sign } from '../ui/icon.tsx';
import { Empty, Notice, Panel } from '../ui/panel.tsx';
import { type Column, Table } from '../ui/table.tsx';

const HISTORY_MINUTES = 15;

/** The pipeline as it is drawn in the runbook, with what each stage does now. */
export function PipelineView() {
  const { api, live } = useConsole();
  const now = useNow();
  const history = useHistory(api, HISTORY_MINUTES);
  const { pipeline, receivedMs, error } = live;
  if (pipeline === undefined) {
    return error === undefined ? (
      <Empty>Asking for the pipeline…</Empty>
    ) : (
      <Notice sign="bad">{error.message} The page keeps asking.</Notice>
    );
  }
  const stale = receivedMs !== undefined && now - receivedMs > STALE_AFTER_MS;
  return (
    <>
      <div class={stale ? 'flow stale' : 'flow'}>
        <ol class="stages" aria-label="Stages, in the order in which a message passes them">
          {pipeline.stages.map((stage) => (
            <StageCard key={stage.name} stage={stage} />
          ))}
        </ol>
        <p class="slow-path">
          <span>slow path: what the fast path does not bring, the hub reads from Postgres</span>
        </p>
      </div>
      <Panel title="What is wrong" class="cause-first">
        <Findings stages={pipeline.stages} />
      </Panel>
      <div class="pair">
        <Panel title="Throughput" note={`last ${HISTORY_MINUTES} minutes`}>
          <HistoryChart history={history} chart={THROUGHPUT} />
        </Panel>
        <Panel
          title="Latency"
          note={`to the client’s answer now: p50 ${millisecondsText(pipeline.end_to_end.p50_ms)}, p95 ${millisecondsText(pipeline.end_to_end.p95_ms)}`}
        >
          <HistoryChart history={history} chart={LATENCY} />
        </Panel>
      </div>
      <Panel title="Pods" flush note={`epoch ${pipeline.epoch}`}>
        <Table
          caption="Pods"
          columns={POD_COLUMNS}
          rows={pipeline.pods}
          id={(pod) => pod.instance}
          marked={(pod) => pod.state === 'not_ready' || pod.state === 'gone'}
        />
      </Panel>
    </>
  );
}

const POD_SIGNS: Readonly<Record<Pod['state'], Sign>> = {
  starting: 'waiting',
  ready: 'ok',
  degraded: 'warn',
  not_ready: 'bad',
  draining: 'paused',
  gone: 'bad',
};

const POD_COLUMNS: readonly Column<Pod>[] = [
  { head: 'Pod', cell: (pod) => <strong>{pod.name}</strong> },
  {
    head: 'State',
    cell: (pod) => (
      <Status sign={POD_SIGNS[pod.state]}>
        {[pod.state, ...pod.reasons].map((word) => word.replaceAll('_', ' ')).join(': ')}
      </Status>
    ),
  },
  {
    head: 'Runs',
    cell: (pod) =>
      [pod.dispatcher ? 'dispatcher' : '', pod.consumer ? 'consumer' : '', 'hub'].filter(Boolean).join(', '),
  },
  { head: 'Paused here', cell: (pod) => (pod.paused.length === 0 ? '–' : pod.paused.join(', ')) },
  { head: 'Connections', figure: true, cell: (pod) => countText(pod.connections) },
  { head: 'Slow', figure: true, cell: (pod) => countText(pod.slow_connections) },
  { head: 'Conversations', figure: true, cell: (pod) => countText(pod.conversations) },
  { head: 'Version', cell: (pod) => pod.version },
  { head: 'Up for', figure: true, cell: (pod) => <Age of={pod.started_at} ago={false} /> },
  { head: 'Heard of', figure: true, cell: (pod) => <Age of={pod.seen_at} /> },
];
