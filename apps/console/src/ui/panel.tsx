import type { ComponentChildren } from 'preact';
import { Icon } from './icon.tsx';
import type { Loaded } from './hooks.ts';

export function Panel(props: {
  title: string;
  note?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
  /** Beside `panel`. */
  class?: string;
  /** Without a frame's padding, for tables. */
  flush?: boolean;
}) {
  return (
    <section
      class={['panel', props.flush === true ? 'flush' : '', props.class ?? ''].filter(Boolean).join(' ')}
    >
      <header class="panel-head">
        <h2>{props.title}</h2>
        {props.note === undefined ? null : <p class="note">{props.note}</p>}
        {props.actions === undefined ? null : <div class="actions">{props.actions}</div>}
      </header>
      {props.children}
    </section>
  );
}

/** One line that something is wrong, or worth knowing. */
export function Notice({ sign, children }: { sign: 'warn' | 'bad' | 'ok'; children: ComponentChildren }) {
  return (
    <p class={`notice notice-${sign}`} role={sign === 'bad' ? 'alert' : 'status'}>
      <Icon sign={sign} />
      <span>{children}</span>
    </p>
  );
}

/** What was loaded; before that a line of the same height, and what failed above what was there before. */
export function Loading<T>({ of, children }: { of: Loaded<T>; children: (data: T) => ComponentChildren }) {
  return (
    <>
      {of.error === undefined ? null : (
        <Notice sign="bad">
          {of.error.message}{' '}
          <button type="button" class="link" onClick={() => of.reload()}>
            Try again
          </button>
        </Notice>
      )}
      {of.data !== undefined ? (
        children(of.data)
      ) : of.error === undefined ? (
        <p class="empty">Loading…</p>
      ) : null}
    </>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}
