import type { JobEstimate } from '@sanctum/protocol/admin';
import { counted } from '../format.ts';

/** What a requeue or a replay would touch, in a sentence. */
export function EstimateText({ estimate }: { estimate: JobEstimate }) {
  const { messages, conversations, clients, from, to } = estimate;
  if (messages === 0) return <p class="estimate">Nothing: no message matches.</p>;
  const places =
    from === null || to === null ? '' : from === to ? ` (place #${from})` : ` (places #${from} to #${to})`;
  return (
    <p class="estimate">
      <strong>{counted(messages, 'message')}</strong>
      {places} of {counted(conversations, 'conversation')} would be sent again. Now connected, and to get
      them: <strong>{counted(clients, 'client')}</strong>.
    </p>
  );
}
