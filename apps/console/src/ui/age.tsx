import { durationText, secondsSince, timeText } from '../format.ts';
import { useNow } from './hooks.ts';

/** How long ago, with the time itself beside it. */
export function Age({ of, ago = true }: { of: string | null; ago?: boolean }) {
  const now = useNow();
  if (of === null) return <>–</>;
  const text = durationText(secondsSince(of, now));
  return (
    <time dateTime={of} title={`${timeText(of)} UTC`}>
      {ago ? `${text} ago` : text}
    </time>
  );
}
