import { durationText } from '../format.ts';
import { useNow } from '../ui/hooks.ts';
import { Status } from '../ui/icon.tsx';
import { headline } from './stages.ts';
import { type Live, STALE_AFTER_MS } from './use-live-pipeline.ts';

/** The state of the whole, in every view. Its changes are read out. */
export function Headline({ live }: { live: Live }) {
  const now = useNow();
  const { pipeline, receivedMs, error } = live;
  const silentMs = receivedMs === undefined ? 0 : now - receivedMs;
  const stale = silentMs > STALE_AFTER_MS;
  const said =
    pipeline === undefined
      ? error === undefined
        ? ({ sign: 'waiting', text: 'Asking for the pipeline…' } as const)
        : ({ sign: 'bad', text: error.message } as const)
      : stale
        ? ({ sign: 'warn', text: 'No news from the service: the figures are old' } as const)
        : headline(pipeline);
  return (
    <div class="headline">
      <p aria-live="assertive" aria-atomic="true">
        <a href="#/pipeline">
          <Status sign={said.sign}>{said.text}</Status>
        </a>
      </p>
      <p class="note">
        {receivedMs === undefined
          ? ''
          : stale
            ? `last heard of ${durationText(silentMs / 1000)} ago`
            : `live · answered by ${pipeline?.answered_by ?? ''}`}
      </p>
    </div>
  );
}
