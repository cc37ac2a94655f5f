import type { Partitions } from '@sanctum/protocol/admin';
import { bytesText, counted, countText, durationText, NOTHING } from '../format.ts';
import { backgroundJobState, needsLook, partitionWarnings } from '../partitions/upkeep.ts';
import { Age } from '../ui/age.tsx';
import { useConsole } from '../ui/context.ts';
import { useLoad } from '../ui/hooks.ts';
import { Status } from '../ui/icon.tsx';
import { Empty, Loading, Notice, Panel } from '../ui/panel.tsx';
import { type Column, Table } from '../ui/table.tsx';

const REFRESH_MS = 30_000;

type Partition = Partitions['partitions'][number];
type BackgroundJob = Partitions['background_jobs'][number];

export function PartitionsView() {
  const { api } = useConsole();
  const loaded = useLoad('partitions', (signal) => api.get<Partitions>('partitions', {}, signal), REFRESH_MS);
  return (
    <Loading of={loaded}>
      {(data) => (
        <>
          {partitionWarnings(data).map((warning) => (
            <Notice key={warning} sign="warn">
              {warning}
            </Notice>
          ))}
          <Panel title="Retention">
            <dl class="facts-list">
              <dt>Messages are kept for</dt>
              <dd>{counted(data.retention.outbox_days, 'day')}</dd>
              <dt>Dead letters are kept for</dt>
              <dd>{counted(data.retention.dlq_days, 'day')}</dd>
              <dt>Partitions ahead</dt>
              <dd>{durationText(data.ahead_seconds)}</dd>
              <dt>Stream entries in the dead-letter table</dt>
              <dd>{countText(data.dlq_rows)}</dd>
            </dl>
          </Panel>
          <Panel title="Background jobs" flush note="one pod at a time does each">
            {data.background_jobs.length === 0 ? (
              <Empty>None has reported yet.</Empty>
            ) : (
              <Table
                caption="Background jobs"
                columns={JOB_COLUMNS}
                rows={data.background_jobs}
                id={({ name }) => name}
                marked={(job) => ['bad', 'warn'].includes(backgroundJobState(job, Date.now()).sign)}
              />
            )}
          </Panel>
          <Panel
            title="Partitions of the outbox"
            flush
            note={bytesText(data.partitions.reduce((sum, { bytes }) => sum + bytes, 0))}
          >
            <Table
              caption="Partitions"
              columns={COLUMNS}
              rows={data.partitions}
              id={({ name }) => name}
              marked={needsLook}
            />
          </Panel>
        </>
      )}
    </Loading>
  );
}

/** The planner's estimate, which is 0 also where it has never counted. */
function rowsText({ rows, kind }: Partition): string {
  if (kind !== 'range') return countText(rows);
  return rows === 0 ? NOTHING : `≈ ${countText(rows)}`;
}

const COLUMNS: readonly Column<Partition>[] = [
  { head: 'Partition', cell: ({ name }) => <code>{name}</code> },
  {
    head: 'Holds',
    cell: (partition) => {
      if (partition.kind === 'kept') return 'dead rows that outlived their day';
      if (partition.kind === 'default') {
        return needsLook(partition) ? (
          <Status sign="warn">rows without a partition of their own</Status>
        ) : (
          'what has no partition of its own'
        );
      }
      return `${partition.from?.slice(0, 10) ?? NOTHING} to ${partition.to?.slice(0, 10) ?? NOTHING}`;
    },
  },
  {
    head: 'State',
    cell: ({ expired, kind }) =>
      expired ? <Status sign="waiting">expired, goes next</Status> : kind === 'range' ? 'kept' : NOTHING,
  },
  {
    head: 'Rows',
    figure: true,
    cell: rowsText,
  },
  { head: 'Size', figure: true, cell: ({ bytes }) => bytesText(bytes) },
];

const JOB_COLUMNS: readonly Column<BackgroundJob>[] = [
  { head: 'Job', cell: ({ name }) => <strong>{name.replaceAll('_', ' ')}</strong> },
  {
    head: 'State',
    cell: (job) => {
      const { sign, words } = backgroundJobState(job, Date.now());
      return <Status sign={sign}>{words}</Status>;
    },
  },
  { head: 'Last success', figure: true, cell: ({ last_success_at }) => <Age of={last_success_at} /> },
];
