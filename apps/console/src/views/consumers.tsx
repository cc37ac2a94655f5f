import type { ConsumerGroups } from '@sanctum/protocol/admin';
import { countText, durationText, NOTHING } from '../format.ts';
import { Age } from '../ui/age.tsx';
import { useConsole } from '../ui/context.ts';
import { useLoad } from '../ui/hooks.ts';
import { Status } from '../ui/icon.tsx';
import { Empty, Loading, Panel } from '../ui/panel.tsx';
import { type Column, Table } from '../ui/table.tsx';

const REFRESH_MS = 3_000;

type Group = ConsumerGroups['streams'][number]['groups'][number];
type GroupConsumer = Group['consumers'][number];

/** What Redis says of the streams, of the groups that read them, and of each consumer. */
export function ConsumersView() {
  const { api } = useConsole();
  const loaded = useLoad(
    'consumers',
    (signal) => api.get<ConsumerGroups>('consumers', {}, signal),
    REFRESH_MS,
  );
  return (
    <Loading of={loaded}>
      {({ streams }) =>
        streams.length === 0 ? (
          <Empty>There is no stream yet: nothing has been dispatched.</Empty>
        ) : (
          streams.map((stream) => (
            <div key={stream.name} class="stack">
              <Panel title={stream.name} note={`${countText(stream.length)} entries`}>
                <dl class="facts-list">
                  <dt>Oldest entry</dt>
                  <dd>{stream.first_entry_at === null ? NOTHING : <Age of={stream.first_entry_at} />}</dd>
                  <dt>Newest entry</dt>
                  <dd>{stream.last_entry_at === null ? NOTHING : <Age of={stream.last_entry_at} />}</dd>
                </dl>
              </Panel>
              {stream.groups.map((group) => (
                <GroupPanel key={group.name} group={group} />
              ))}
            </div>
          ))
        )
      }
    </Loading>
  );
}

function GroupPanel({ group }: { group: Group }) {
  const lag = group.lag === null ? 'unknown to Redis' : countText(group.lag);
  return (
    <Panel
      title={`Group ${group.name}`}
      flush
      note={`read and unacknowledged: ${countText(group.pending)} · unread: ${lag} · last delivered ${group.last_delivered_id}`}
    >
      {group.consumers.length === 0 ? (
        <Empty>No consumer has read with this group yet.</Empty>
      ) : (
        <Table
          caption={`Consumers of ${group.name}`}
          columns={COLUMNS}
          rows={group.consumers}
          id={({ name }) => name}
          marked={isOrphan}
        />
      )}
    </Panel>
  );
}

/** Entries stay with a consumer that is gone until another one claims them. */
function isOrphan({ alive, pending }: GroupConsumer): boolean {
  return alive === false && pending > 0;
}

const COLUMNS: readonly Column<GroupConsumer>[] = [
  { head: 'Consumer', cell: ({ name }) => <strong>{name}</strong> },
  {
    head: 'State',
    cell: (consumer) =>
      consumer.alive === null ? (
        NOTHING
      ) : consumer.alive ? (
        <Status sign="ok">its pod lives</Status>
      ) : isOrphan(consumer) ? (
        <Status sign="warn">its pod is gone, entries wait to be claimed</Status>
      ) : (
        <Status sign="off">its pod is gone</Status>
      ),
  },
  { head: 'Unacknowledged', figure: true, cell: ({ pending }) => countText(pending) },
  { head: 'Idle', figure: true, cell: ({ idle_ms }) => durationText(idle_ms / 1000) },
];
