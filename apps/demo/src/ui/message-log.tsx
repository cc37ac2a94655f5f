import { useState } from 'preact/hooks';
import type { OutgoingText, ShownMessage } from '../device/device-messages.ts';
import { type ConversationView, whoIsPast } from '../device/device-view.ts';
import { useFollowing } from './hooks.ts';
import { timeText } from './time-text.ts';

/** Messages that are shown at first, and how many more at a time. */
const PAGE = 100;

interface LogProps {
  readonly title: string;
  readonly conversation: ConversationView;
  /** Whose log it is. */
  readonly userId: string;
}

/** A conversation, in the order of the places that the server gave; behind it what has none yet. */
export function MessageLog({ title, conversation, userId }: LogProps) {
  const [count, setCount] = useState(PAGE);
  const { messages, outgoing } = conversation;
  const hidden = Math.max(0, messages.length + outgoing.length - count);
  const following = useFollowing(outgoing.at(-1)?.messageId ?? messages.at(-1)?.messageId);
  const isEmpty = messages.length + outgoing.length === 0;
  return (
    <div class="log" {...following} role="log" aria-label={`${title}: messages`} tabIndex={0}>
      {hidden === 0 ? null : (
        <button type="button" class="earlier" onClick={() => setCount(count + PAGE)}>
          Show earlier messages ({hidden})
        </button>
      )}
      {isEmpty ? <p class="empty">No messages yet. Write the first one.</p> : null}
      <ol>
        {messages.slice(hidden).map((message) => (
          <Message key={message.messageId} message={message} conversation={conversation} userId={userId} />
        ))}
        {outgoing.slice(Math.max(0, hidden - messages.length)).map((message) => (
          <Outgoing key={message.messageId} message={message} />
        ))}
      </ol>
    </div>
  );
}

function Message({
  message,
  conversation,
  userId,
}: {
  message: ShownMessage;
  conversation: ConversationView;
  userId: string;
}) {
  const { kind, seq, sender, name, text, occurredAt } = message;
  if (kind === 'lost') {
    return (
      <li class="lost" data-seq={seq}>
        {text}
      </li>
    );
  }
  const isOwn = sender === userId;
  return (
    <li class={isOwn ? 'message own' : 'message'} data-seq={seq}>
      <span class="unseen">{isOwn ? 'You: ' : `${name}: `}</span>
      <p class="text">{text}</p>
      <p class="meta">
        {isOwn ? null : `${name} · `}
        <time dateTime={occurredAt}>{timeText(occurredAt)}</time>
        {isOwn ? ` · ${stateOf(conversation, userId, seq)}` : null}
      </p>
    </li>
  );
}

function Outgoing({ message: { text, createdAt, state, reason } }: { message: OutgoingText }) {
  const words = { queued: 'Waiting', sent: 'Sent', refused: `Refused: ${reason}` }[state];
  return (
    <li class="message own waiting" data-state={state}>
      <span class="unseen">You: </span>
      <p class="text">{text}</p>
      <p class="meta">
        {timeText(createdAt)} · {words}
      </p>
    </li>
  );
}

/** In a group it says who. */
function stateOf(conversation: ConversationView, userId: string, seq: number): string {
  const others = Object.keys(conversation.marks).filter((id) => id !== userId).length;
  const readers = whoIsPast(conversation, userId, seq, 'read');
  if (readers.length > 0) return others > 1 ? `Read by ${readers.join(', ')}` : 'Read';
  return whoIsPast(conversation, userId, seq, 'delivered').length > 0 ? 'Delivered' : 'Sent';
}
