import type { Config } from '@sanctum/messaging/config';
import type { Fleet } from '@sanctum/messaging/operations/fleet';
import type { PodFigures } from '@sanctum/messaging/operations/pod-figures';
import { UsageError } from '../cli-error.ts';
import { given, type Shell } from '../shell.ts';

/*
 * How long things are kept is a setting of the pods. This shell may have another one, or none: what it says alone must
 * never delete what the pods keep.
 */

/** In days. */
export type Retention = Config['retention'];
type Kept = keyof Retention;

const KEPT = {
  outboxDays: { what: 'messages', variable: 'OUTBOX_RETENTION_DAYS', option: '--outbox-days' },
  dlqDays: { what: 'dead letters', variable: 'DLQ_RETENTION_DAYS', option: '--dlq-days' },
} as const satisfies Record<Kept, object>;
const KINDS = Object.keys(KEPT) as Kept[];

/** What pods say, each value once, the longest first. */
function saidBy(pods: readonly PodFigures[], kept: Kept): number[] {
  const said = pods.flatMap(({ retention }) => (retention === undefined ? [] : [retention[kept]]));
  return [...new Set(said)].sort((a, b) => b - a);
}

/** The longest that any living pod says; undefined: none says anything. */
export function retentionOfPods(fleet: Fleet): Retention | undefined {
  const [outboxDays] = saidBy(fleet.alive(), 'outboxDays');
  const [dlqDays] = saidBy(fleet.alive(), 'dlqDays');
  return outboxDays === undefined || dlqDays === undefined ? undefined : { outboxDays, dlqDays };
}

interface Sources {
  readonly shell: Pick<Shell, 'env'>;
  readonly fleet: Fleet;
  readonly config: Config;
}

/** Where pods, or the pods and this shell, would keep things for different times: in words. */
export function retentionDisagreements({ shell, fleet, config }: Sources): string[] {
  return KINDS.flatMap((kept) => {
    const { what, variable } = KEPT[kept];
    const said = saidBy(fleet.alive(), kept);
    if (said.length > 1) {
      return [`pods keep ${what} for different times: ${said.map(daysText).join(', ')}; the shortest counts`];
    }
    const [days] = said;
    const own = given(shell.env, variable) === undefined ? undefined : config.retention[kept];
    if (days === undefined || own === undefined || own === days) return [];
    return [`${variable} is ${own} in this shell, and the pods keep ${what} for ${daysText(days)}`];
  });
}

/**
 * What a prune goes by: an option, else a variable of this shell, else what the pods say. Never less than the pods
 * keep, unless an option says so and `force` does.
 * @throws UsageError where it is less, or where nobody says anything
 */
export function retentionToPrune(
  sources: Sources,
  options: Partial<Retention> & { readonly force?: true },
): Retention {
  const daysOf = (kept: Kept) => daysToPrune(sources, kept, options);
  return { outboxDays: daysOf('outboxDays'), dlqDays: daysOf('dlqDays') };
}

function daysToPrune(
  { shell, fleet, config }: Sources,
  kept: Kept,
  options: Partial<Retention> & { readonly force?: true },
): number {
  const { what, variable, option } = KEPT[kept];
  // Those that have fallen silent within the hour, too: they come back, and mean to find what they keep.
  const known = fleet.pods().map(({ figures }) => figures);
  const [pods] = saidBy(known, kept);
  const typed = options[kept];
  const own = given(shell.env, variable) === undefined ? undefined : config.retention[kept];
  const days = typed ?? own ?? pods;
  if (days === undefined) {
    throw new UsageError(
      `no pod says for how long ${what} are kept, and neither does this shell`,
      `Give ${option} <n>, or set ${variable}, to what the pods are set to.`,
    );
  }
  if (pods === undefined || days >= pods || (typed !== undefined && options.force === true)) return days;
  const name = typed === undefined ? `${variable} is ${days} in this shell` : `${option} is ${days}`;
  throw new UsageError(
    `${name}, but the pods keep ${what} for ${daysText(pods)}`,
    typed === undefined
      ? `Unset ${variable}, or set it to ${pods}.`
      : `Leave it out, or add --force: what the pods keep would be gone for good.`,
  );
}

function daysText(days: number): string {
  return `${days} ${days === 1 ? 'day' : 'days'}`;
}
