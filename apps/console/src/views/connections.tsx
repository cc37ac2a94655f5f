import type { Connections, ConnectionState, ConnectionView, PodConnections } from '@sanctum/protocol/admin';
import { useState } from 'preact/hooks';
import { bytesText, countText, durationText } from '../format.ts';
import { Age } from '../ui/age.tsx';
import { useConsole } from '../ui/context.ts';
import { useKept, useLoad } from '../ui/hooks.ts';
import { Status } from '../ui/icon.tsx';
import { Id } from '../ui/id.tsx';
import { PageButtons, usePages } from '../ui/pages.tsx';
import { Empty, Loading, Notice, Panel } from '../ui/panel.tsx';
import { type Column, Table } from '../ui/table.tsx';
import type { ViewProps } from '../views.ts';

const PAGE = 100;
const REFRESH_MS = 5_000;
const STATES = ['hello', 'cursors', 'opening', 'live'] as const satisfies readonly ConnectionState[];

export function ConnectionsView({ query }: ViewProps) {
  const { api } = useConsole();
  const [filter, setFilter] = useState({
    pod: '',
    state: '',
    slow: query.get('slow') === 'true',
    user_id: query.get('user') ?? '',
  });
  const pages = usePages();
  const search = { ...filter, slow: filter.slow ? true : undefined, cursor: pages.cursor, limit: PAGE };
  const loaded = useLoad(
    JSON.stringify(search),
    (signal) => api.get<Connections>('connections', search, signal),
    REFRESH_MS,
  );
  const all = useKept('all', loaded.data);
  const narrow = (change: Partial<typeof filter>): void => {
    setFilter({ ...filter, ...change });
    pages.first();
  };
  return (
    <>
      <Loading of={{ ...loaded, data: all }}>
        {({ by_pod, pods_missing }) => (
          <>
            {pods_missing.length === 0 ? null : (
              <Notice sign="warn">
                No answer in time from {pods_missing.join(', ')}: theirs are missing here.
              </Notice>
            )}
            <Panel title="By pod" flush>
              <Table caption="Connections by pod" columns={POD_COLUMNS} rows={by_pod} id={({ pod }) => pod} />
            </Panel>
          </>
        )}
      </Loading>
      <Panel title="Connections" flush>
        <div class="toolbar in-panel">
          <label class="field inline">
            <span>Pod</span>
            <select value={filter.pod} onChange={(event) => narrow({ pod: event.currentTarget.value })}>
              <option value="">all</option>
              {(all?.by_pod ?? []).map(({ pod }) => (
                <option key={pod}>{pod}</option>
              ))}
            </select>
          </label>
          <label class="field inline">
            <span>State</span>
            <select value={filter.state} onChange={(event) => narrow({ state: event.currentTarget.value })}>
              <option value="">all</option>
              {STATES.map((state) => (
                <option key={state}>{state}</option>
              ))}
            </select>
          </label>
          <label class="field inline">
            <span>User</span>
            <input
              placeholder="all"
              spellcheck={false}
              value={filter.user_id}
              onChange={(event) => narrow({ user_id: event.currentTarget.value.trim() })}
            />
          </label>
          <label class="check">
            <input
              type="checkbox"
              checked={filter.slow}
              onChange={(event) => narrow({ slow: event.currentTarget.checked })}
            />
            Only slow ones
          </label>
        </div>
        {loaded.data === undefined ? (
          loaded.error === undefined ? (
            <Empty>Loading…</Empty>
          ) : null
        ) : loaded.data.connections.length === 0 ? (
          <Empty>{filter.slow ? 'No connection is slow.' : 'No connection matches.'}</Empty>
        ) : (
          <Table
            caption="Connections"
            columns={COLUMNS}
            rows={loaded.data.connections}
            id={({ connection_id }) => connection_id}
            marked={({ slow }) => slow}
          />
        )}
        <PageButtons pages={pages} nextCursor={loaded.data?.next_cursor ?? null} />
      </Panel>
    </>
  );
}

const POD_COLUMNS: readonly Column<PodConnections>[] = [
  { head: 'Pod', cell: ({ pod }) => <strong>{pod}</strong> },
  { head: 'Open', figure: true, cell: ({ total }) => countText(total) },
  {
    head: 'Slow',
    figure: true,
    cell: ({ slow }) => (slow === 0 ? '0' : <Status sign="warn">{countText(slow)}</Status>),
  },
  ...STATES.map((state) => ({
    head: state,
    figure: true,
    cell: ({ by_state }: PodConnections) => countText(by_state[state] ?? 0),
  })),
];

const COLUMNS: readonly Column<ConnectionView>[] = [
  {
    head: 'User',
    cell: ({ user_id }) =>
      user_id === null ? '–' : <a href={`#/revocation?user=${encodeURIComponent(user_id)}`}>{user_id}</a>,
  },
  { head: 'State', cell: (connection) => <ConnectionStatus {...connection} /> },
  { head: 'Pod', cell: ({ pod }) => pod },
  { head: 'Open for', figure: true, cell: ({ opened_at }) => <Age of={opened_at} ago={false} /> },
  { head: 'Conversations', figure: true, cell: ({ conversations }) => countText(conversations) },
  {
    head: 'Credit',
    figure: true,
    cell: ({ credit_left, credit_limit }) => `${credit_left} of ${credit_limit}`,
  },
  { head: 'Unsent', figure: true, cell: ({ unsent_bytes }) => bytesText(unsent_bytes) },
  { head: 'Connection', cell: ({ connection_id }) => <Id value={connection_id} /> },
];

function ConnectionStatus({ state, slow, slow_seconds, catching_up, going_away }: ConnectionView) {
  const also = [catching_up ? 'catching up' : '', going_away ? 'told to move' : ''].filter(Boolean);
  const words = [state, ...also].join(', ');
  if (slow) return <Status sign="warn">{`${words}, slow for ${durationText(slow_seconds)}`}</Status>;
  return <Status sign={state === 'live' && !going_away ? 'ok' : 'waiting'}>{words}</Status>;
}
