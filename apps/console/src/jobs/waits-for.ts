import type { Stage } from '@sanctum/protocol/admin';

/** Why messages that are set to be sent again wait: a stage on their way is paused, or no living pod does it. */
export function waitsFor(stages: readonly Stage[]): string[] {
  return stages.flatMap(({ name, health, pods }) => {
    if (name === 'hub') return health === 'paused' ? ['delivery is paused: they wait until it runs'] : [];
    if (name !== 'dispatcher' && name !== 'consumer') return [];
    if (health === 'paused') return [`the ${name} is paused: they wait until it runs`];
    return pods === 0
      ? [`the ${name} is on no living pod (${name.toUpperCase()}_ENABLED=true): they wait until it runs`]
      : [];
  });
}
