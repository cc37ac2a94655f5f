import { ATTACKS } from './attacks.ts';
import type { Target } from './attack.ts';

/** From the parent: strike this. */
export interface StrikeOrder {
  readonly name: string;
  readonly target: Target;
}

/** To the parent: the process is up, and in the end what came of it. */
export type AttackerNews = 'up' | { readonly outcome: readonly (readonly [string, number])[] };

// An attacker in a process of its own: the loop that writes thousands of frames is not the one on which the members
// of the load post and read, so that what they wait for is the pod.
process.on('message', ({ name, target }: StrikeOrder) => {
  void ATTACKS.find((attack) => attack.name === name)!
    .strike(target)
    .then((outcome) => tell({ outcome: [...outcome] }));
});
process.on('disconnect', () => process.exit());
tell('up');

function tell(news: AttackerNews): void {
  process.send?.(news);
}
