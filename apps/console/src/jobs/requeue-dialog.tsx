import type { DeadLetterKind, Job, JobEstimate, RequeueBody } from '@sanctum/protocol/admin';
import { counted } from '../format.ts';
import { Confirm } from '../ui/confirm.tsx';
import { useConsole } from '../ui/context.ts';
import { useLoad } from '../ui/hooks.ts';
import { Loading } from '../ui/panel.tsx';
import { EstimateText } from './estimate-text.tsx';

export type Requeue =
  | { readonly about: 'ids'; readonly kind: DeadLetterKind; readonly ids: string[] }
  | { readonly about: 'cause'; readonly kind: DeadLetterKind; readonly cause: string };

/** Says what a requeue would touch, then does it. */
export function RequeueDialog(props: { requeue: Requeue; started: () => void; close: () => void }) {
  const { api } = useConsole();
  const { requeue } = props;
  const body: RequeueBody =
    requeue.about === 'ids'
      ? { kind: requeue.kind, ids: requeue.ids }
      : { kind: requeue.kind, cause: requeue.cause };
  const estimate = useLoad(JSON.stringify(body), () =>
    api.send<JobEstimate>('POST', 'dead-letters/requeue', { ...body, dry_run: true }),
  );
  const what = requeue.about === 'ids' ? counted(requeue.ids.length, 'dead letter') : 'all of one cause';
  return (
    <Confirm
      title={`Requeue ${what}?`}
      action={
        estimate.data === undefined ? 'Requeue' : `Requeue ${counted(estimate.data.messages, 'message')}`
      }
      reason="optional"
      blocked={estimate.data === undefined || estimate.data.messages === 0}
      act={async (reason) => {
        await api.send<Job>('POST', 'dead-letters/requeue', { ...body, reason });
        props.started();
      }}
      close={props.close}
    >
      {requeue.about === 'cause' ? <code class="cause-text">{requeue.cause}</code> : null}
      <Loading of={estimate}>{(data) => <EstimateText estimate={data} />}</Loading>
    </Confirm>
  );
}
