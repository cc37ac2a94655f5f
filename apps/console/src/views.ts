import type { FunctionComponent } from 'preact';
import { AuditView } from './views/audit.tsx';
import { ChartsView } from './views/charts.tsx';
import { ConnectionsView } from './views/connections.tsx';
import { ConsumersView } from './views/consumers.tsx';
import { ControlsView } from './views/controls.tsx';
import { DeadLettersView } from './views/dead-letters.tsx';
import { PartitionsView } from './views/partitions.tsx';
import { PipelineView } from './views/pipeline.tsx';
import { ReplayView } from './views/replay.tsx';
import { RevocationView } from './views/revocation.tsx';
import { TraceView } from './views/trace.tsx';

export interface ViewProps {
  /** Of the address: what a link from another view filled in. */
  readonly query: URLSearchParams;
}

interface View {
  /** In the address: `#/name`. */
  readonly name: string;
  readonly title: string;
  readonly component: FunctionComponent<ViewProps>;
}

const PIPELINE: View = { name: 'pipeline', title: 'Pipeline', component: PipelineView };

export const VIEW_GROUPS: readonly { readonly title: string; readonly views: readonly View[] }[] = [
  {
    title: 'Watch',
    views: [PIPELINE, { name: 'charts', title: 'Latency and throughput', component: ChartsView }],
  },
  {
    title: 'Messages',
    views: [
      { name: 'dead-letters', title: 'Dead letters', component: DeadLettersView },
      { name: 'replay', title: 'Replay', component: ReplayView },
      { name: 'trace', title: 'Trace a message', component: TraceView },
    ],
  },
  {
    title: 'Inside',
    views: [
      { name: 'connections', title: 'Connections', component: ConnectionsView },
      { name: 'consumers', title: 'Consumers', component: ConsumersView },
      { name: 'partitions', title: 'Partitions and retention', component: PartitionsView },
    ],
  },
  {
    title: 'Operate',
    views: [
      { name: 'controls', title: 'Controls', component: ControlsView },
      { name: 'revocation', title: 'Revocation', component: RevocationView },
      { name: 'audit', title: 'Audit', component: AuditView },
    ],
  },
];

/** The view of this name; the pipeline where there is none. */
export function viewNamed(name: string): View {
  return VIEW_GROUPS.flatMap(({ views }) => views).find((view) => view.name === name) ?? PIPELINE;
}
