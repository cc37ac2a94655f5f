import type { Revocation, RevocationBody, Revocations, Revoked } from '@sanctum/protocol/admin';
import { useState } from 'preact/hooks';
import { closingText } from '../revoked-text.ts';
import { Age } from '../ui/age.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { useConsole } from '../ui/context.ts';
import { useLoad } from '../ui/hooks.ts';
import { PageButtons, usePages } from '../ui/pages.tsx';
import { Empty, Loading, Notice, Panel } from '../ui/panel.tsx';
import { type Column, Table } from '../ui/table.tsx';
import type { ViewProps } from '../views.ts';

type Whom = 'user_id' | 'sid';

const PAGE = 50;

/** Ends the logins of a user, or one login, everywhere and at once. */
export function RevocationView({ query }: ViewProps) {
  const { api } = useConsole();
  const [whom, setWhom] = useState<Whom>('user_id');
  const [name, setName] = useState(query.get('user') ?? '');
  const [asking, setAsking] = useState(false);
  const [done, setDone] = useState<Revoked>();
  const pages = usePages();
  const list = useLoad(`revocations ${pages.cursor ?? ''}`, (signal) =>
    api.get<Revocations>('revocations', { cursor: pages.cursor, limit: PAGE }, signal),
  );
  const kind = whom === 'user_id' ? 'user' : 'login';
  return (
    <>
      <Panel
        title="Revoke"
        note="Their connections close on every pod within 2 seconds. Of a user: every token issued until now. Of a login: every token for good."
      >
        <form
          class="form"
          onSubmit={(event) => (event.preventDefault(), setDone(undefined), setAsking(true))}
        >
          <fieldset class="choice">
            <legend class="unseen">Whom</legend>
            {(['user_id', 'sid'] as const).map((each) => (
              <button key={each} type="button" aria-pressed={whom === each} onClick={() => setWhom(each)}>
                {each === 'user_id' ? 'A user' : 'One login (sid)'}
              </button>
            ))}
          </fieldset>
          <label class="field wide">
            <span>{whom === 'user_id' ? 'User id' : 'Login id (sid)'}</span>
            <input
              name="whom"
              required
              maxLength={255}
              autocomplete="off"
              spellcheck={false}
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          </label>
          <div class="form-actions">
            <button type="submit" class="danger">
              Revoke…
            </button>
          </div>
        </form>
        <div class="outcome" aria-live="polite">
          {done === undefined ? null : (
            <Notice sign="ok">
              Revoked {done.user_id ?? done.sid}. {closingText(done)}
            </Notice>
          )}
        </div>
      </Panel>
      <Panel title="Revocations" flush note="the latest first">
        <Loading of={list}>
          {({ revocations }) =>
            revocations.length === 0 ? (
              <Empty>Nobody has been revoked.</Empty>
            ) : (
              <Table
                caption="Revocations"
                columns={COLUMNS}
                rows={revocations}
                id={({ user_id, sid, revoked_at }) => `${user_id ?? ''} ${sid ?? ''} ${revoked_at}`}
              />
            )
          }
        </Loading>
        <PageButtons pages={pages} nextCursor={list.data?.next_cursor ?? null} />
      </Panel>
      {asking ? (
        <Confirm
          title={`Revoke this ${kind}?`}
          action={`Revoke ${kind}`}
          danger
          reason="optional"
          typed={name}
          act={async (reason) => {
            const body: RevocationBody = { [whom]: name, reason };
            setDone(await api.send<Revoked>('POST', 'revocations', body));
            list.reload();
          }}
          close={() => setAsking(false)}
        >
          <p>
            {whom === 'user_id'
              ? 'Every device of this user is logged out and needs a new token. There is no way back but a new login.'
              : 'This one login ends for good; the user’s other devices stay.'}
          </p>
        </Confirm>
      ) : null}
    </>
  );
}

const COLUMNS: readonly Column<Revocation>[] = [
  {
    head: 'Whom',
    cell: ({ user_id, sid }) =>
      user_id === null ? (
        <>
          login <code>{sid}</code>
        </>
      ) : (
        <strong>{user_id}</strong>
      ),
  },
  { head: 'When', figure: true, cell: ({ revoked_at }) => <Age of={revoked_at} /> },
  { head: 'By', cell: ({ revoked_by }) => revoked_by },
  { head: 'Reason', cell: ({ reason }) => reason ?? '–' },
];
