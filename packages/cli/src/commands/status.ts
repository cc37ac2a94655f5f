import { PostgresDispatchLog } from '@sanctum/messaging/adapters/postgres/dispatch-log';
import { PostgresOperatorLog } from '@sanctum/messaging/adapters/postgres/operator-log';
import { PostgresReaderLog } from '@sanctum/messaging/adapters/postgres/reader-log';
import { PipelineWatch } from '@sanctum/messaging/operations/pipeline-watch';
import type { ControlledStage, Pipeline } from '@sanctum/protocol/admin';
import { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { lookUntilSure } from '../operator/look-until-sure.ts';
import { pipelineText } from '../operator/pipeline-text.ts';
import { type StoreOptions, type Stores, withStoreOptions, withStores } from '../operator/stores.ts';
import { Output } from '../output.ts';
import type { Shell } from '../shell.ts';

interface StatusOptions extends StoreOptions {
  readonly once?: true;
}

/** Pods speak every second: two of their readings make a rate. */
const EVERY_MS = 1500;
const CLEAR_SCREEN = '\u001b[H\u001b[2J';

const EXAMPLES = `
Examples:
  sanctum status
  sanctum status --once
  sanctum status --once --json | jq '.stages[] | select(.health == "down")'

One screen, refreshed until Ctrl-C: every stage with its rate, errors, lag and what waits, the pods, and what is
paused. With --once it exits with 1 where a stage is down.`;

/** `sanctum status`: the pipeline on one screen. */
export function statusCommand(shell: Shell): Command {
  return withStoreOptions(new Command('status'))
    .description('show the pipeline: where it works, and where the trouble is')
    .option('--once', 'show it once, and exit with 1 where a stage is down')
    .addHelpText('after', EXAMPLES)
    .action((options: StatusOptions) => status(shell, options));
}

async function status(shell: Shell, options: StatusOptions): Promise<void> {
  const output = new Output(shell, options);
  const done = new AbortController();
  const undo = shell.onInterrupt(() => done.abort());
  const isScreen = shell.stdout.isTTY === true && !output.isJson && options.once !== true;
  try {
    await withStores(shell, { options, output, end: done.signal }, async (stores) => {
      const pause = async () => {
        await shell.clock.sleep(EVERY_MS, done.signal);
        return !done.signal.aborted;
      };
      const look = await watcher(shell, stores, done.signal);
      for (;;) {
        const pipeline = options.once === true ? await lookUntilSure(look, pause) : await look();
        const text = pipelineText(pipeline, { paint: output.paint });
        output.result(pipeline, isScreen ? CLEAR_SCREEN + text : text);
        if (options.once === true) return assertUp(pipeline);
        if (!(await pause())) return;
      }
    });
  } finally {
    undo();
  }
}

/** The same view that the console shows, made here. The first look takes a moment: a rate needs two readings. */
async function watcher(shell: Shell, stores: Stores, signal: AbortSignal): Promise<() => Promise<Pipeline>> {
  const { pool, inspector, podTable, fleet } = stores;
  const operatorLog = new PostgresOperatorLog(pool);
  const reader = new PostgresReaderLog(pool, { payloadLimitBytes: 0 });
  let epoch = await reader.readEpoch();
  let paused: ControlledStage[] = [];
  const dispatchLog = new PostgresDispatchLog(pool, { payloadLimitBytes: 0 });
  const watch = new PipelineWatch({
    fleet,
    controls: {
      get paused() {
        return paused;
      },
    },
    clock: shell.clock,
    pod: 'cli',
    isOutsider: true,
    epoch: () => epoch,
    probes: {
      outbox: () => dispatchLog.backlog(),
      ...(inspector && { stream: () => inspector.state() }),
      pods: () => podTable.read(),
    },
  });
  const refresh = async () => {
    try {
      const controls = await operatorLog.controls();
      paused = controls.filter((control) => control.paused).map(({ stage }) => stage);
      epoch = await reader.readEpoch();
    } catch {
      // The view says that Postgres does not answer.
    }
  };
  await watch.look();
  await shell.clock.sleep(EVERY_MS, signal);
  return async () => {
    await refresh();
    return watch.look({ fresh: true });
  };
}

function assertUp({ stages }: Pipeline): void {
  const down = stages.filter(({ health }) => health === 'down').map(({ name }) => name);
  if (down.length > 0) throw new CliError(`down: ${down.join(', ')}`, 'What to do: `sanctum doctor`.');
}
