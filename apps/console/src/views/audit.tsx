import type { Audit, AuditEntry } from '@sanctum/protocol/admin';
import { timeText } from '../format.ts';
import { useConsole } from '../ui/context.ts';
import { useLoad } from '../ui/hooks.ts';
import { PageButtons, usePages } from '../ui/pages.tsx';
import { Empty, Loading, Panel } from '../ui/panel.tsx';
import { type Column, Table } from '../ui/table.tsx';

const PAGE = 50;
const REFRESH_MS = 10_000;

/** Who changed what, and why: here, by the command line, or by hand in the database. */
export function AuditView() {
  const { api } = useConsole();
  const pages = usePages();
  const loaded = useLoad(
    `audit ${pages.cursor ?? ''}`,
    (signal) => api.get<Audit>('audit', { cursor: pages.cursor, limit: PAGE }, signal),
    REFRESH_MS,
  );
  return (
    <Panel title="Changes by operators" flush note="the latest first; times are UTC">
      <Loading of={loaded}>
        {({ entries }) =>
          entries.length === 0 ? (
            <Empty>No operator has changed anything yet.</Empty>
          ) : (
            <Table caption="Changes" columns={COLUMNS} rows={entries} id={({ id }) => String(id)} />
          )
        }
      </Loading>
      <PageButtons pages={pages} nextCursor={loaded.data?.next_cursor ?? null} />
    </Panel>
  );
}

const COLUMNS: readonly Column<AuditEntry>[] = [
  {
    head: 'When',
    cell: ({ at }) => (
      <time dateTime={at} class="moment">
        {timeText(at)}
      </time>
    ),
  },
  { head: 'Who', cell: ({ by }) => <strong>{by}</strong> },
  { head: 'Did', cell: ({ action }) => action.replaceAll('_', ' ') },
  { head: 'To', cell: ({ target }) => <code>{target}</code> },
  {
    head: 'Particulars',
    cell: ({ parameters }) => <span class="particulars">{particulars(parameters)}</span>,
  },
];

function particulars(parameters: AuditEntry['parameters']): string {
  return Object.entries(parameters)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(
      ([name, value]) =>
        `${name.replaceAll('_', ' ')}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    )
    .join(' · ');
}
