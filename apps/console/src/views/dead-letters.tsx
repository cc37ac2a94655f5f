import type { DeadLetter, DeadLetterCause, DeadLetterKind, DeadLetters } from '@sanctum/protocol/admin';
import { useState } from 'preact/hooks';
import { bytesText, countText, durationText, timeText } from '../format.ts';
import { type Requeue, RequeueDialog } from '../jobs/requeue-dialog.tsx';
import { Age } from '../ui/age.tsx';
import { useConsole } from '../ui/context.ts';
import { useKept, useLoad } from '../ui/hooks.ts';
import { Id } from '../ui/id.tsx';
import { PageButtons, usePages } from '../ui/pages.tsx';
import { Empty, Loading, Panel } from '../ui/panel.tsx';
import { type Column, Table } from '../ui/table.tsx';
import type { ViewProps } from '../views.ts';

const PAGE = 50;
const REFRESH_MS = 10_000;

const KINDS: readonly { kind: DeadLetterKind; label: string; about: string }[] = [
  {
    kind: 'row',
    label: 'Messages',
    about: 'Rows of the outbox that could not be dispatched. Their readers were told of a gap.',
  },
  {
    kind: 'entry',
    label: 'Stream entries',
    about: 'Entries that no consumer could use. Clients miss nothing by them: the log has the message.',
  },
];

export function DeadLettersView({ query }: ViewProps) {
  const { api, watchJobs, jobsEnded } = useConsole();
  const [kind, setKind] = useState<DeadLetterKind>(query.get('kind') === 'entry' ? 'entry' : 'row');
  const [cause, setCause] = useState<string>();
  const [conversation, setConversation] = useState(query.get('conversation') ?? '');
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [requeue, setRequeue] = useState<Requeue>();
  const pages = usePages();
  const isFiltered = cause !== undefined || conversation !== '';
  const search = { kind, cause, conversation_id: conversation, cursor: pages.cursor, limit: PAGE };
  const letters = useLoad(
    JSON.stringify(search),
    (signal) => api.get<DeadLetters>('dead-letters', search, signal),
    REFRESH_MS,
    jobsEnded,
  );
  const ofKind = useKept(kind, letters.data);
  const narrow = (change: () => void): void => {
    change();
    setPicked(new Set());
    pages.first();
  };
  return (
    <>
      <div class="toolbar">
        <div class="choice" role="group" aria-label="Kind">
          {KINDS.map((each) => (
            <button
              key={each.kind}
              type="button"
              aria-pressed={each.kind === kind}
              onClick={() => narrow(() => (setKind(each.kind), setCause(undefined)))}
            >
              {each.label}
            </button>
          ))}
        </div>
        <label class="field inline">
          <span>Conversation</span>
          <input
            placeholder="all"
            spellcheck={false}
            value={conversation}
            onChange={(event) => narrow(() => setConversation(event.currentTarget.value.trim()))}
          />
        </label>
        <p class="note">{KINDS.find((each) => each.kind === kind)?.about}</p>
      </div>
      <Causes
        of={ofKind}
        shown={cause}
        show={(name) => narrow(() => setCause(name))}
        requeue={(each) => setRequeue({ about: 'cause', kind, cause: each.cause })}
      />
      <Panel
        title={cause !== undefined ? 'Of this cause' : isFiltered ? 'Of this conversation' : 'All of them'}
        flush
        actions={
          <button
            type="button"
            class="primary"
            disabled={picked.size === 0}
            onClick={() => setRequeue({ about: 'ids', kind, ids: [...picked] })}
          >
            Requeue selected ({picked.size})
          </button>
        }
      >
        <Loading of={letters}>
          {(data) =>
            data.dead_letters.length === 0 ? (
              <Empty>{isFiltered ? 'None matches.' : 'None. Nothing had to be given up.'}</Empty>
            ) : (
              <Table
                caption="Dead letters"
                columns={letterColumns(kind, (letter) =>
                  setRequeue({ about: 'ids', kind, ids: [letter.id] }),
                )}
                rows={data.dead_letters}
                id={(letter) => letter.id}
                select={{ ids: picked, change: setPicked }}
              />
            )
          }
        </Loading>
        <PageButtons pages={pages} nextCursor={letters.data?.next_cursor ?? null} />
      </Panel>
      {requeue === undefined ? null : (
        <RequeueDialog
          requeue={requeue}
          started={() => {
            setPicked(new Set());
            watchJobs();
          }}
          close={() => setRequeue(undefined)}
        />
      )}
    </>
  );
}

function Causes(props: {
  of: DeadLetters | undefined;
  shown: string | undefined;
  show: (cause: string | undefined) => void;
  requeue: (cause: DeadLetterCause) => void;
}) {
  const causes = props.of?.causes ?? [];
  if (causes.length === 0) return null;
  const columns: readonly Column<DeadLetterCause>[] = [
    { head: 'Cause', cell: ({ cause }) => <code class="cause-text">{cause}</code> },
    { head: 'Count', figure: true, cell: ({ count }) => countText(count) },
    { head: 'Oldest', figure: true, cell: ({ oldest_at }) => <Age of={oldest_at} /> },
    {
      head: 'Actions',
      cell: (each) => (
        <span class="row-actions">
          <button
            type="button"
            aria-pressed={props.shown === each.cause}
            onClick={() => props.show(props.shown === each.cause ? undefined : each.cause)}
          >
            {props.shown === each.cause ? 'Show all' : 'Show'}
          </button>
          <button type="button" onClick={() => props.requeue(each)}>
            Requeue all of it…
          </button>
        </span>
      ),
    },
  ];
  return (
    <Panel title="Causes" flush note={`${countText(props.of?.total)} in all`}>
      <Table caption="Causes" columns={columns} rows={causes} id={({ cause }) => cause} />
    </Panel>
  );
}

function letterColumns(
  kind: DeadLetterKind,
  requeue: (letter: DeadLetter) => void,
): readonly Column<DeadLetter>[] {
  const conversation = (letter: DeadLetter) =>
    letter.conversation_id === null ? '–' : <Id value={letter.conversation_id} />;
  const message = (letter: DeadLetter) =>
    letter.message_id === null ? (
      '–'
    ) : (
      <Id value={letter.message_id} href={`#/trace?message=${letter.message_id}`} />
    );
  const row: readonly Column<DeadLetter>[] = [
    { head: 'Message', cell: message },
    { head: 'Conversation', cell: conversation },
    { head: 'Place', figure: true, cell: ({ seq }) => (seq === null ? '–' : `#${seq}`) },
  ];
  const entry: readonly Column<DeadLetter>[] = [
    { head: 'Entry', cell: ({ entry_id }) => <code>{entry_id ?? '–'}</code> },
    { head: 'Stream', cell: ({ stream, group }) => `${stream ?? '–'} (${group ?? '–'})` },
    { head: 'Conversation', cell: conversation },
  ];
  return [
    ...(kind === 'row' ? row : entry),
    { head: 'Cause', cell: ({ cause }) => <code class="cause-text">{cause}</code> },
    {
      head: 'Age',
      figure: true,
      cell: ({ age_seconds, at }) => <span title={`${timeText(at)} UTC`}>{durationText(age_seconds)}</span>,
    },
    { head: 'Attempts', figure: true, cell: ({ attempts }) => countText(attempts) },
    { head: 'Size', figure: true, cell: ({ size_bytes }) => bytesText(size_bytes) },
    {
      head: 'Action',
      cell: (letter) => (
        <button type="button" onClick={() => requeue(letter)}>
          Requeue…
        </button>
      ),
    },
  ];
}
