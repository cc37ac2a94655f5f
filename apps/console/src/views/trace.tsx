import type { Trace, TracedReader } from '@sanctum/protocol/admin';
import { useLayoutEffect, useState } from 'preact/hooks';
import { bytesText, countText, counted } from '../format.ts';
import { traceSteps } from '../trace/trace-steps.ts';
import { useConsole } from '../ui/context.ts';
import { useLoad } from '../ui/hooks.ts';
import { Status } from '../ui/icon.tsx';
import { Id } from '../ui/id.tsx';
import { Empty, Loading, Notice, Panel } from '../ui/panel.tsx';
import { type Column, Table } from '../ui/table.tsx';
import type { ViewProps } from '../views.ts';

const REFRESH_MS = 5_000;

/** Where one message has come to, from its acceptance to the connected members. */
export function TraceView({ query }: ViewProps) {
  const { api } = useConsole();
  const linked = query.get('message') ?? '';
  const [text, setText] = useState(linked);
  const [messageId, setMessageId] = useState(linked === '' ? undefined : linked);
  useLayoutEffect(() => {
    if (linked === '') return;
    setText(linked);
    setMessageId(linked);
  }, [linked]);
  const trace = useLoad(
    messageId,
    (signal) => api.get<Trace>(`messages/${encodeURIComponent(messageId ?? '')}/trace`, {}, signal),
    messageId === undefined ? undefined : REFRESH_MS,
  );
  const submit = (event: Event): void => {
    event.preventDefault();
    const wanted = text.trim().toLowerCase();
    if (wanted === messageId) trace.reload();
    else setMessageId(wanted);
  };
  return (
    <>
      <form class="toolbar" onSubmit={submit}>
        <label class="field inline wide">
          <span>Message id</span>
          <input
            name="message"
            required
            pattern="\s*[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\s*"
            title="A message’s id: 36 characters, as the sender chose it"
            spellcheck={false}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary">
          Trace
        </button>
      </form>
      {messageId === undefined ? (
        <Panel title="Where is it?">
          <Empty>
            Give the id of a message (<code>message_id</code>), from a client’s or a pod’s log, to see how far
            it has come.
          </Empty>
        </Panel>
      ) : (
        <Loading of={trace}>{(data) => <Traced trace={data} />}</Loading>
      )}
    </>
  );
}

function Traced({ trace }: { trace: Trace }) {
  return (
    <>
      <Panel
        title={`#${trace.seq} of its conversation`}
        note={`${trace.event_type}, ${bytesText(trace.size_bytes)}, ${trace.sender === null ? 'no sender named' : `from ${trace.sender}`}`}
      >
        <p class="facts">
          Conversation <Id value={trace.conversation_id} />
          <a href={`#/replay?conversation=${trace.conversation_id}`}>Replay it…</a>
        </p>
        <ol class="steps">
          {traceSteps(trace).map((step) => (
            <li key={step.name}>
              <Status sign={step.sign}>
                <strong>{step.name}</strong> {step.state}
              </Status>
              <span class="note">{step.detail}</span>
            </li>
          ))}
        </ol>
      </Panel>
      {trace.pods_missing.length === 0 ? null : (
        <Notice sign="warn">
          No answer in time from {trace.pods_missing.join(', ')}: their readers are missing here.
        </Notice>
      )}
      <Panel
        title="Connected members"
        flush
        note={`${countText(trace.readers_past)} of ${counted(trace.readers_total, 'connection')} past it; ${counted(trace.members, 'member')} in all`}
      >
        {trace.readers.length === 0 ? (
          <Empty>No member is connected now. They get it when they come back.</Empty>
        ) : (
          <Table
            caption="Connected members"
            columns={READER_COLUMNS}
            rows={trace.readers}
            id={(reader) => reader.connection_id}
            marked={(reader) => !reader.past}
          />
        )}
      </Panel>
    </>
  );
}

const READER_COLUMNS: readonly Column<TracedReader>[] = [
  { head: 'User', cell: ({ user_id }) => <strong>{user_id}</strong> },
  {
    head: 'State',
    cell: ({ past, slow }) =>
      past ? (
        <Status sign="ok">past it</Status>
      ) : (
        <Status sign="warn">{slow ? 'not yet: the client is slow' : 'not yet'}</Status>
      ),
  },
  { head: 'Has up to', figure: true, cell: ({ cursor }) => `#${cursor}` },
  { head: 'Pod', cell: ({ pod }) => pod },
  { head: 'Connection', cell: ({ connection_id }) => <Id value={connection_id} /> },
];
