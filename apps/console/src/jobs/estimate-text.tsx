import type { JobEstimate } from '@sanctum/protocol/admin';
import { counted } from '../format.ts';
import { useConsole } from '../ui/context.ts';
import { Notice } from '../ui/panel.tsx';
import { waitsFor } from './waits-for.ts';

/** What a requeue or a replay would touch, in a sentence. */
export function EstimateText({ estimate }: { estimate: JobEstimate }) {
  const { live } = useConsole();
  const { messages, conversations, clients, from, to } = estimate;
  if (messages === 0)
    return <p class="estimate">Nothing: no message matches, or what does already waits to be sent.</p>;
  const places =
    from === null || to === null ? '' : from === to ? ` (place #${from})` : ` (places #${from} to #${to})`;
  const uncounted = uncountedText(estimate);
  return (
    <>
      <p class="estimate">
        <strong>{counted(messages, 'message')}</strong>
        {places} of {counted(conversations, 'conversation')} would be set to be sent again. Now connected, and
        to get them: <strong>{`${uncounted === '' ? '' : 'at least '}${counted(clients, 'client')}`}</strong>
        {uncounted}.
      </p>
      {waitsFor(live.pipeline?.stages ?? []).map((text) => (
        <Notice key={text} sign="warn">
          {text}
        </Notice>
      ))}
    </>
  );
}

/** Why there may be more clients than were counted; empty where all were. */
export function uncountedText({ pods_missing: pods, conversations_uncounted: others }: JobEstimate): string {
  const reasons = [
    ...(pods.length === 0 ? [] : [`${counted(pods.length, 'pod')} did not answer: ${pods.join(', ')}`]),
    ...(others === 0 ? [] : [`${counted(others, 'conversation')} not looked at`]),
  ];
  return reasons.length === 0 ? '' : ` (${reasons.join('; ')})`;
}
