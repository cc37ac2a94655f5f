import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../server/api-error.ts';
import { inWords } from './hooks.ts';
import { Notice } from './panel.tsx';

export interface ConfirmProps {
  title: string;
  /** What will happen, with figures. */
  children: ComponentChildren;
  /** The button's words: a verb and what it acts on. */
  action: string;
  /** Asks for this text to be typed before the button works. */
  typed?: string;
  /** Asks for a reason, which is written to the audit; `none`: there is no place for one. */
  reason: 'required' | 'optional' | 'none';
  danger?: boolean;
  /** What it is about is not known yet, or nothing. */
  blocked?: boolean;
  /** A rejection is shown in the dialog, which stays open. */
  act: (reason: string | undefined) => Promise<void>;
  close: () => void;
}

/**
 * The second step of every change. Escape and “Cancel” leave everything as it was; Enter in a field acts. What has
 * been asked for cannot be taken back: until it is done or has failed, the dialog stays.
 */
export function Confirm(props: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const ready =
    !busy &&
    props.blocked !== true &&
    (props.typed ?? '') === typed &&
    (props.reason !== 'required' || reason.trim() !== '');
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!ready) return;
    setBusy(true);
    setError(undefined);
    try {
      await props.act(reason.trim() === '' ? undefined : reason.trim());
      props.close();
    } catch (failure) {
      setError(inWords(failure));
      setBusy(false);
    }
  };
  return (
    <dialog
      ref={dialog}
      aria-labelledby="confirm-title"
      onCancel={(event) => {
        if (busy) event.preventDefault();
      }}
      // A second Escape closes it whatever the page says.
      onClose={() => (busy ? dialog.current?.showModal() : props.close())}
    >
      <form onSubmit={(event) => void submit(event)}>
        <h2 id="confirm-title">{props.title}</h2>
        {props.children}
        {props.reason === 'none' ? null : (
          <label class="field">
            <span>{props.reason === 'required' ? 'Reason' : 'Reason (optional)'}</span>
            <input
              name="reason"
              maxLength={500}
              autocomplete="off"
              value={reason}
              required={props.reason === 'required'}
              onInput={(event) => setReason(event.currentTarget.value)}
            />
            <small>Kept in the audit with your name.</small>
          </label>
        )}
        {props.typed === undefined ? null : (
          <label class="field">
            <span>
              Type <code>{props.typed}</code> to confirm
            </span>
            <input
              name="typed"
              autocomplete="off"
              spellcheck={false}
              value={typed}
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          </label>
        )}
        {error === undefined ? null : <Notice sign="bad">{error.message}</Notice>}
        <div class="dialog-actions">
          <button type="button" disabled={busy} onClick={() => props.close()}>
            Cancel
          </button>
          <button type="submit" class={props.danger === true ? 'danger' : 'primary'} disabled={!ready}>
            {busy ? 'Working…' : props.action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
