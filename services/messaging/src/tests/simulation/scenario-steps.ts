import type { ConversationPlan, Step, StepOf } from './scenario.ts';
import type { SimRandom } from './sim-random.ts';

interface Cast {
  readonly users: readonly string[];
  readonly conversations: readonly ConversationPlan[];
  readonly durationMs: number;
}

export function postSteps(random: SimRandom, { users, conversations, durationMs }: Cast): Step[] {
  const hot = random.integer(0, conversations.length - 1);
  const steps: Step[] = [];
  const count = random.integer(10, 60);
  while (steps.length < count) {
    const conversation = random.chance(0.5) ? hot : random.integer(0, conversations.length - 1);
    const { owner, members } = conversations[conversation]!;
    const user = random.chance(0.95) ? random.pick([owner, ...members]) : random.pick(users);
    const burst = random.chance(0.15) ? random.integer(2, 12) : 1;
    const atMs = random.integer(0, durationMs);
    for (let n = 0; n < burst; n++) {
      const size = random.integer(1, 60);
      steps.push({ kind: 'post', atMs: atMs + n, user, conversation, size, twice: random.chance(0.05) });
    }
  }
  return steps;
}

export function changeSteps(random: SimRandom, { users, conversations, durationMs }: Cast): Step[] {
  return Array.from({ length: random.integer(0, 6) }).flatMap(() => {
    const first = {
      kind: 'change' as const,
      atMs: random.integer(0, durationMs),
      change: random.pick(['add', 'remove'] as const),
      user: random.pick(users),
      conversation: random.integer(0, conversations.length - 1),
      byOwner: random.chance(0.8),
    };
    // Left and came back, or the other way round, before the news of it are everywhere.
    const second = { ...first, atMs: first.atMs + random.integer(0, 1500), change: opposite(first.change) };
    return random.chance(0.4) ? [first, second] : [first];
  });
}

function opposite(change: 'add' | 'remove'): 'add' | 'remove' {
  return change === 'add' ? 'remove' : 'add';
}

export function reseatSteps(
  random: SimRandom,
  { clients, conversations, durationMs }: { clients: number; conversations: number; durationMs: number },
): Step[] {
  return Array.from({ length: random.pick([0, 0, 1, 2]) }, () => ({
    kind: 'reseat',
    atMs: random.integer(0, durationMs),
    client: random.integer(0, clients - 1),
    conversation: random.integer(0, conversations - 1),
    back: random.pick(['head', 'start', 0, 1, 5] as const),
  }));
}

export function calmSteps(random: SimRandom, conversations: number): StepOf<'operate'>[] {
  return (['replay', 'requeue'] as const).map((what) => ({
    kind: 'operate',
    atMs: 0,
    what,
    conversation: random.integer(0, conversations - 1),
    from: random.next(),
    span: random.integer(1, 3),
  }));
}
