import { CONTROLLED_STAGES, type Control, type ControlledStage } from '@sanctum/protocol/admin';
import { PostgresOperatorLog } from '@sanctum/messaging/adapters/postgres/operator-log';
import { Argument, Command } from 'commander';
import { assertConfirmed } from '../operator/assert-confirmed.ts';
import { type StoreOptions, withStoreOptions, withStores } from '../operator/stores.ts';
import { durationValue, reasonValue } from '../option-values.ts';
import { Output, printable } from '../output.ts';
import type { Shell } from '../shell.ts';

interface PauseOptions extends StoreOptions {
  readonly reason: string;
  /** Milliseconds. */
  readonly for?: number;
}

const PAUSE_EXAMPLES = `
Examples:
  sanctum pause dispatcher --reason "Redis maintenance" --for 30m
  sanctum pause delivery --reason "clients overwhelmed" --yes

Every pod follows within a second, without a restart; clients stay connected and accepted messages are kept. It
writes to PostgreSQL, so it works while Redis or the pods are down. \`sanctum status\` shows what is paused.`;

const RESUME_EXAMPLES = `
Examples:
  sanctum resume dispatcher
  sanctum resume delivery --reason "maintenance over" --yes

What waited goes out, in order.`;

const stageArgument = () => new Argument('<stage>', 'what').choices(CONTROLLED_STAGES);

/** `sanctum pause`: stops a stage on every pod. */
export function pauseCommand(shell: Shell): Command {
  return withStoreOptions(new Command('pause'))
    .description('pause the dispatcher, the consumer or delivery, on every pod')
    .addArgument(stageArgument())
    .requiredOption('--reason <text>', 'why, for whoever finds it paused', reasonValue)
    .option('--for <duration>', 'resume by itself after this, as 30m or 2h', durationValue)
    .option('--yes', 'do not ask')
    .addHelpText('after', PAUSE_EXAMPLES)
    .action((stage: ControlledStage, options: PauseOptions) => setControl(shell, stage, true, options));
}

/** `sanctum resume`: the end of a pause. */
export function resumeCommand(shell: Shell): Command {
  return withStoreOptions(new Command('resume'))
    .description('end a pause')
    .addArgument(stageArgument())
    .option('--reason <text>', 'why, for the record', reasonValue, 'resumed')
    .option('--yes', 'do not ask')
    .addHelpText('after', RESUME_EXAMPLES)
    .action((stage: ControlledStage, options: PauseOptions) => setControl(shell, stage, false, options));
}

async function setControl(
  shell: Shell,
  stage: ControlledStage,
  paused: boolean,
  options: PauseOptions,
): Promise<void> {
  const output = new Output(shell, options);
  await assertConfirmed(shell, options, `${paused ? 'Pause' : 'Resume'} ${stage} on every pod?`);
  await withStores(shell, { options, output }, async ({ pool, operator: by }) => {
    const log = new PostgresOperatorLog(pool);
    const expiresInSeconds = options.for === undefined ? undefined : options.for / 1000;
    await log.setControl({ stage, paused, reason: options.reason, by, expiresInSeconds });
    const controls = await log.controls();
    output.result(
      controls.find((control) => control.stage === stage)!,
      controls.map(line).join('\n'),
    );
  });
}

function line(control: Omit<Control, 'pods_behind'>): string {
  const { stage, paused, changed_by: by, since, reason, expires_at: until } = control;
  if (since === null) return `${stage.padEnd(10)}  runs`;
  const end = until === null ? '' : `, until ${until}`;
  const why = reason === null ? '' : `: ${printable(reason)}`;
  const who = `since ${since} by ${by === null ? 'itself' : printable(by)}${why}`;
  return `${stage.padEnd(10)}  ${paused ? 'PAUSED' : 'runs'}  ${who}${end}`;
}
