import type { Control, ControlledStage, Controls, PutControl } from '@sanctum/protocol/admin';
import { useState } from 'preact/hooks';
import { timeText } from '../format.ts';
import { Age } from '../ui/age.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { useConsole } from '../ui/context.ts';
import { useLoad } from '../ui/hooks.ts';
import { Status } from '../ui/icon.tsx';
import { Loading, Panel } from '../ui/panel.tsx';

const REFRESH_MS = 1_000;

const STAGES: Readonly<Record<ControlledStage, { title: string; effect: string }>> = {
  dispatcher: {
    title: 'Dispatcher',
    effect:
      'Messages are accepted and wait in the outbox. Connected clients get them by the slow path, seconds later.',
  },
  consumer: {
    title: 'Consumer',
    effect:
      'The stream grows and nothing of it is read. Connected clients get messages by the slow path, seconds later.',
  },
  delivery: {
    title: 'Delivery',
    effect: 'No client gets any message, by either path, until it is resumed. Nothing is lost.',
  },
};

const EXPIRIES = [
  { label: 'after 15 minutes', seconds: 15 * 60 },
  { label: 'after 1 hour', seconds: 3600 },
  { label: 'after 8 hours', seconds: 8 * 3600 },
  { label: 'never: somebody resumes it', seconds: undefined },
] as const;

/** Pausing and resuming, on every pod within a second. */
export function ControlsView() {
  const { api } = useConsole();
  const loaded = useLoad('controls', (signal) => api.get<Controls>('controls', {}, signal), REFRESH_MS);
  const [asked, setAsked] = useState<Control>();
  return (
    <>
      <p class="lead">Each acts on every pod within a second, without a restart: nobody has to reconnect.</p>
      <Loading of={loaded}>
        {({ controls }) =>
          controls.map((control) => (
            <ControlPanel key={control.stage} control={control} ask={() => setAsked(control)} />
          ))
        }
      </Loading>
      {asked === undefined ? null : (
        <ControlDialog
          control={asked}
          put={async (body) => {
            await api.send<Controls>('PUT', 'controls', body);
            loaded.reload();
          }}
          close={() => setAsked(undefined)}
        />
      )}
    </>
  );
}

function ControlPanel({ control, ask }: { control: Control; ask: () => void }) {
  const { title, effect } = STAGES[control.stage];
  return (
    <Panel
      title={title}
      actions={
        <button type="button" class={control.paused ? 'primary' : 'danger'} onClick={ask}>
          {control.paused ? `Resume ${control.stage}…` : `Pause ${control.stage}…`}
        </button>
      }
    >
      <div class="control">
        <Status sign={control.paused ? 'paused' : 'ok'}>{control.paused ? 'paused' : 'runs'}</Status>
        <p class="note">
          {control.since === null ? (
            'Never paused.'
          ) : (
            <>
              {control.paused ? 'Paused' : 'Resumed'} <Age of={control.since} /> by{' '}
              {control.changed_by ?? 'itself'}
              {control.reason === null ? '' : `: ${control.reason}`}
              {control.paused && control.expires_at !== null
                ? `. Resumes by itself at ${timeText(control.expires_at)} UTC`
                : ''}
            </>
          )}
        </p>
        {control.pods_behind.length === 0 ? null : (
          <Status sign="waiting">not followed yet: {control.pods_behind.join(', ')}</Status>
        )}
      </div>
      {control.paused ? null : <p class="note">While it is paused: {effect}</p>}
    </Panel>
  );
}

function ControlDialog(props: {
  control: Control;
  put: (body: PutControl) => Promise<void>;
  close: () => void;
}) {
  const { stage, paused } = props.control;
  const [expiry, setExpiry] = useState(0);
  const seconds = EXPIRIES[expiry]?.seconds;
  return (
    <Confirm
      title={`${paused ? 'Resume' : 'Pause'} ${stage} on every pod?`}
      action={`${paused ? 'Resume' : 'Pause'} ${stage}`}
      reason="required"
      danger={!paused}
      {...(paused ? {} : { typed: stage })}
      act={(reason) =>
        props.put({
          stage,
          paused: !paused,
          reason: reason ?? '',
          ...(paused || seconds === undefined ? {} : { expires_in_seconds: seconds }),
        })
      }
      close={props.close}
    >
      <p>{paused ? 'What has waited goes on by itself.' : STAGES[stage].effect}</p>
      {paused ? null : (
        <label class="field">
          <span>Resumes by itself</span>
          <select value={expiry} onChange={(event) => setExpiry(Number(event.currentTarget.value))}>
            {EXPIRIES.map(({ label }, index) => (
              <option key={label} value={index}>
                {label}
              </option>
            ))}
          </select>
        </label>
      )}
    </Confirm>
  );
}
