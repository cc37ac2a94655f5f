import type { Stage } from '@sanctum/protocol/admin';
import { Status } from '../ui/icon.tsx';
import { HEALTH_SIGNS, HEALTH_WORDS, remedyOf, STAGE_WORDS, troubled } from './stages.ts';

/** Each stage that something is wrong with: the cause in words, what it means, where to look next. */
export function Findings({ stages }: { stages: readonly Stage[] }) {
  const found = troubled(stages);
  const isAnyDown = found.some(({ health }) => health === 'down');
  if (found.length === 0) {
    return (
      <p class="empty">
        <Status sign="ok">Nothing is wrong. Every stage does its part.</Status>
      </p>
    );
  }
  return (
    <ul class="findings">
      {found.map((stage) => {
        const words = STAGE_WORDS[stage.name];
        // Where something is down, who waits for it leads nowhere.
        const leads = !isAnyDown || stage.health !== 'degraded';
        return (
          <li key={stage.name} class={`health-${stage.health}`}>
            <Status sign={HEALTH_SIGNS[stage.health]}>
              <strong>{words.title}</strong> {HEALTH_WORDS[stage.health]}
            </Status>
            <div>
              <p class="cause">{sentence(stage.cause ?? 'no cause is known')}</p>
              {leads ? (
                <p class="note">
                  {remedyOf(stage)} <a href={`#/${moreOf(stage).view}`}>{moreOf(stage).label}</a>
                </p>
              ) : null}
            </div>
          </li>
        );
      })}
    </ul>
  );
}

/** Causes come as the command line prints them: after a colon. */
function sentence(cause: string): string {
  const text = cause.charAt(0).toUpperCase() + cause.slice(1);
  return text.endsWith('.') ? text : `${text}.`;
}

const CONTROLS = { view: 'controls', label: 'Controls' };

function moreOf(stage: Stage): { view: string; label: string } {
  return stage.health === 'paused' ? CONTROLS : STAGE_WORDS[stage.name].more;
}
