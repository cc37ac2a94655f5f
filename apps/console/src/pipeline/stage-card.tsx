import type { Stage } from '@sanctum/protocol/admin';
import { countText, durationText, rateText } from '../format.ts';
import { Status } from '../ui/icon.tsx';
import { HEALTH_SIGNS, HEALTH_WORDS, STAGE_WORDS } from './stages.ts';

/** One stage, always of the same size: what it does now, how it fails, how far behind it is. */
export function StageCard({ stage }: { stage: Stage }) {
  const words = STAGE_WORDS[stage.name];
  const failing = stage.error_rate !== null && stage.error_rate > 0;
  return (
    <li class={`stage health-${stage.health}`} data-stage={stage.name} data-health={stage.health}>
      <h3>{words.title}</h3>
      <p class="subtitle">{words.subtitle}</p>
      <Status sign={HEALTH_SIGNS[stage.health]}>{HEALTH_WORDS[stage.health]}</Status>
      <p class="rate">
        <span>{rateText(stage.rate)}</span> <small>/s</small>
      </p>
      <dl>
        <dt>errors</dt>
        <dd class={failing ? 'failing' : undefined}>
          {stage.error_rate === null ? '–' : `${rateText(stage.error_rate)}/s`}
        </dd>
        <dt>behind</dt>
        <dd>{durationText(stage.lag_seconds)}</dd>
        <dt>{words.backlog}</dt>
        <dd>{countText(stage.backlog)}</dd>
        <dt>pods</dt>
        <dd>
          {stage.pods} of {stage.pods_alive}
        </dd>
      </dl>
    </li>
  );
}
