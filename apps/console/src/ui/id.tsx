import { useState } from 'preact/hooks';
import { copyText } from './copy-text.ts';
import { CopyIcon, Icon } from './icon.tsx';

const SIGN_MS = 1200;

/**
 * An id: short, whole in the tooltip and for screen readers, and copied by a click. Where it could not be copied, it
 * is shown whole.
 */
export function Id({ value, href }: { value: string; href?: string }) {
  const [copied, setCopied] = useState<'yes' | 'no'>();
  const short = value.length > 14 ? `${value.slice(0, 8)}…` : value;
  const copy = async (): Promise<void> => {
    if (!(await copyText(value, navigator.clipboard))) return setCopied('no');
    setCopied('yes');
    setTimeout(() => setCopied((now) => (now === 'yes' ? undefined : now)), SIGN_MS);
  };
  return (
    <span class="id" title={value}>
      {href === undefined ? (
        <code>{short}</code>
      ) : (
        <a href={href}>
          <code>{short}</code>
        </a>
      )}
      <button type="button" class="copy" aria-label={`Copy ${value}`} onClick={() => void copy()}>
        {copied === 'yes' ? <Icon sign="ok" /> : <CopyIcon />}
      </button>
      {copied === 'no' ? (
        <span class="not-copied" role="status">
          could not be copied; select it here: <code>{value}</code>
        </span>
      ) : null}
    </span>
  );
}
