/** Signs differ by shape, not by colour alone. They are decoration: a word always stands beside them. */
const PATHS = {
  ok: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm-1 9.2L4.3 8l1-1L7 8.6l3.7-3.7 1 1Z',
  warn: 'M8 1.2.8 14.2h14.4L8 1.2Zm-.8 4.6h1.6v4.2H7.2V5.8Zm0 5.2h1.6v1.6H7.2V11Z',
  bad: 'M5.1 1.2h5.8l3.9 3.9v5.8l-3.9 3.9H5.1l-3.9-3.9V5.1l3.9-3.9Zm-.2 4.8L7 8l-2.1 2 1.1 1.1L8 9l2 2.1 1.1-1.1L9 8l2.1-2L10 4.9 8 7 6 4.9 4.9 6Z',
  paused: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM5.6 5h1.7v6H5.6V5Zm3.1 0h1.7v6H8.7V5Z',
  off: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm0 1.5a5 5 0 1 1 0 10A5 5 0 0 1 8 3ZM5 7.2h6v1.6H5V7.2Z',
  waiting:
    'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm0 1.5a5 5 0 1 1 0 10A5 5 0 0 1 8 3Zm-.8 1.8v3.7l3 1.8.7-1.2-2.2-1.3v-3H7.2Z',
} as const;

export type Sign = keyof typeof PATHS;

export function Icon({ sign }: { sign: Sign }) {
  return (
    <svg class={`icon sign-${sign}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[sign]} fill="currentColor" fill-rule="evenodd" />
    </svg>
  );
}

export function CopyIcon() {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path
        d="M5.5 5.5v-3h8v8h-3m0-5v8h-8v-8h8Z"
        fill="none"
        stroke="currentColor"
        stroke-width="1.3"
        stroke-linejoin="round"
      />
    </svg>
  );
}

/** A sign and its word. */
export function Status({ sign, children }: { sign: Sign; children: preact.ComponentChildren }) {
  return (
    <span class={`status status-${sign}`}>
      <Icon sign={sign} />
      <span>{children}</span>
    </span>
  );
}
