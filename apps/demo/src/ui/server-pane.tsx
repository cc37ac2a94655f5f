import type { ServerRow, ServerView } from '../server-view.ts';
import { useFollowing } from './hooks.ts';
import { timeText } from './time-text.ts';

interface ServerPaneProps {
  readonly view: ServerView;
  readonly isShown: boolean;
}

/** Every message as the server has it, and beside it what it says to who has the key. */
export function ServerPane({ view: { rows, seen }, isShown }: ServerPaneProps) {
  const following = useFollowing(rows.at(-1)?.wire.messageId);
  return (
    <section class="pane server" aria-label="What the server sees" hidden={!isShown}>
      <header class="pane-head">
        <h2>What the server sees</h2>
        <p class="device-status">
          {seen.size === 0 ? '' : `${seen.size} message${seen.size === 1 ? '' : 's'}`}
        </p>
      </header>
      <p class="note">
        Who writes to which conversation, when, and how much. Not what: neither words nor whether it is a
        message or a receipt.
      </p>
      <div class="log" {...following} role="region" aria-label="Messages on the server" tabIndex={0}>
        {rows.length === 0 ? (
          <p class="empty">Nothing yet. Send a message, and see what arrives here.</p>
        ) : null}
        <ol>
          {rows.map((row) => (
            <Row key={row.wire.messageId} row={row} />
          ))}
        </ol>
      </div>
    </section>
  );
}

function Row({ row: { wire, inside } }: { row: ServerRow }) {
  const { conversationId, seq, sender, occurredAt, scheme, ciphertext } = wire;
  const bytes = Math.floor((ciphertext.replace(/=+$/, '').length * 3) / 4);
  return (
    <li class="wire" data-message={wire.messageId}>
      <p class="wire-head">
        <strong>#{seq}</strong>
        <code title={`conversation ${conversationId}`}>{conversationId.slice(0, 8)}</code>
        <span>
          from <code>{sender}</code>
        </span>
        <time dateTime={occurredAt}>{timeText(occurredAt)}</time>
        <span>
          {bytes} bytes, {scheme}
        </span>
      </p>
      <code class="ciphertext">{ciphertext}</code>
      <p class="inside">
        <span class="note">With the key:</span> {inside}
      </p>
    </li>
  );
}
