import { useState } from 'preact/hooks';
import { CopyIcon, Icon } from './icon.tsx';

/** An id: short, whole in the tooltip and for screen readers, and copied by a click. */
export function Id({ value, href }: { value: string; href?: string }) {
  const [copied, setCopied] = useState(false);
  const short = value.length > 14 ? `${value.slice(0, 8)}…` : value;
  const copy = async (): Promise<void> => {
    await navigator.clipboard?.writeText(value);
    setCopied(true);
    setTimeout(() => setCopied(false), 1200);
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
        {copied ? <Icon sign="ok" /> : <CopyIcon />}
      </button>
    </span>
  );
}
