import { Command, Option } from 'commander';
import { UsageError } from '../cli-error.ts';
import { assertConfirmed } from '../operator/assert-confirmed.ts';
import { durationValue, urlValue } from '../option-values.ts';
import { Output } from '../output.ts';
import { allowedBy, BACKLOG, GATES, queryOf } from '../rollout/gates.ts';
import { Kubectl } from '../rollout/kubectl.ts';
import { queryPrometheus } from '../rollout/prometheus.ts';
import { changedIn, FLAG_OF, ROLLBACK, CANARY, STABLE, stepsFrom, type Step } from '../rollout/steps.ts';
import { verdictText, watch, type WatchOptions } from '../rollout/watch.ts';
import { given, type Shell } from '../shell.ts';

interface RolloutOptions {
  readonly prometheusUrl?: string;
  readonly watch: number;
  readonly backlog: number;
  readonly match?: string;
  readonly namespace?: string;
  readonly kubectl: string;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly json?: true;
}

const MINUTE_MS = 60_000;

const EXAMPLES = `
Examples:
  sanctum rollout --dry-run
  sanctum rollout --namespace messaging --prometheus-url http://127.0.0.1:9090
  sanctum rollout back --namespace messaging

Phase 1 switches the dispatcher on, phase 2 the consumer: each on the canary, watched, then
everywhere. It asks before each change, and stops where a gate of the runbook does not hold; the
dry run prints them. Where it stands is read from the Deployments, so after an interruption the
same command goes on, once their pods are all there; a canary that is on is watched anew.`;

/** `sanctum rollout`: the runbook's two phases with their gates, and the way back. */
export function rolloutCommand(shell: Shell): Command {
  const forward = withCommonOptions(new Command('rollout'))
    .description('switch the fast path on, canary first, as far as the gates of the runbook hold')
    .option('--prometheus-url <url>', 'where the gates are asked (default: PROMETHEUS_URL)', urlValue)
    .addOption(
      new Option('--watch <duration>', 'how long the gates of a phase have to hold')
        .argParser(durationValue)
        .default(30 * MINUTE_MS, '30m'),
    )
    .addOption(
      new Option('--backlog <duration>', "how long phase 2 waits for phase 1's backlog")
        .argParser(durationValue)
        .default(120 * MINUTE_MS, '2h'),
    )
    .option('--match <matchers>', 'further labels of our series, such as namespace="messaging"')
    .addHelpText('after', EXAMPLES)
    .action((options: RolloutOptions) => rollOut(shell, options));
  const back = new Command('back')
    .description('switch both flags off on both Deployments, at once and without gates')
    .action((_own: object, command: Command) => rollBack(shell, command.optsWithGlobals<RolloutOptions>()));
  return forward.addCommand(withCommonOptions(back));
}

/** Both commands list them. Wherever they stand on the line, commander gives them to the outer one. */
function withCommonOptions(command: Command): Command {
  return command
    .option('-n, --namespace <name>', "where the Deployments are (default: that of kubectl's context)")
    .option('--kubectl <file>', 'the kubectl to use', 'kubectl')
    .option('--dry-run', 'print what would be done, and change nothing')
    .option('--yes', 'do not ask')
    .option('--json', 'print each step as JSON');
}

async function rollOut(shell: Shell, options: RolloutOptions): Promise<void> {
  const output = new Output(shell, options);
  const kubectl = new Kubectl(shell, options);
  const watching = watchOptions(shell, options);
  const flags = await kubectl.flags();
  const steps = stepsFrom(flags);
  // What an interrupted rollout has set, its pods may never have taken: the template alone does not tell.
  if (!options.dryRun) for (const deployment of changedIn(flags)) await kubectl.rolledOut(deployment);
  if (steps.length === 0) return output.result({ done: true }, 'Nothing to do: both phases are through.');
  if (options.dryRun) return printPlan(steps, { output, kubectl, options });
  if (watching === undefined && steps.some(({ kind }) => kind === 'watch')) {
    throw new UsageError('the gates need Prometheus: give --prometheus-url, or set PROMETHEUS_URL');
  }
  // Before anything is changed: does it answer at all?
  if (watching !== undefined) {
    await queryPrometheus(watching.prometheusUrl, { query: 'vector(1)', atMs: shell.clock.now() });
  }
  for (const step of steps) {
    if (step.kind === 'set') {
      const command = kubectl.text(step.args);
      await assertConfirmed(shell, options, question(command));
      await kubectl.run(step.args);
      await kubectl.rolledOut(step.deployment);
      const where = step.deployment === CANARY ? 'the canary has' : 'every pod has';
      output.result(
        { phase: step.phase, did: command },
        `phase ${step.phase}: ${where} ${FLAG_OF[step.phase]}=true`,
      );
    } else {
      output.note(`phase ${step.phase}: watching the gates for ${minutes(options.watch)}`);
      const verdicts = await watch(step.phase, watching as WatchOptions, {
        clock: shell.clock,
        note: (text) => output.note(text),
      });
      output.result({ phase: step.phase, gates: verdicts }, verdicts.map(verdictText).join('\n'));
    }
  }
  output.result(
    { done: true },
    'Both phases are through. Add components/fast-path-on to the overlay, or the next `kubectl apply` undoes them.',
  );
}

async function rollBack(shell: Shell, options: RolloutOptions): Promise<void> {
  const output = new Output(shell, options);
  const kubectl = new Kubectl(shell, options);
  const command = kubectl.text(ROLLBACK);
  if (options.dryRun) return output.result({ would: command }, command);
  await assertConfirmed(shell, options, question(command));
  await kubectl.run(ROLLBACK);
  for (const deployment of [STABLE, CANARY]) await kubectl.rolledOut(deployment);
  output.result(
    { did: command },
    'Both flags are off everywhere. Members get new messages by the slow path.',
  );
}

function watchOptions(shell: Shell, options: RolloutOptions): WatchOptions | undefined {
  const url = options.prometheusUrl ?? given(shell.env, 'PROMETHEUS_URL');
  if (url === undefined) return undefined;
  return {
    prometheusUrl: url,
    watchMs: options.watch,
    backlogMs: options.backlog,
    match: options.match ?? '',
  };
}

function printPlan(
  steps: readonly Step[],
  { output, kubectl, options }: { output: Output; kubectl: Kubectl; options: RolloutOptions },
): void {
  for (const step of steps) {
    if (step.kind === 'set') {
      const command = kubectl.text(step.args);
      output.result({ phase: step.phase, would: command }, command);
      continue;
    }
    const gates = [...(step.phase === 2 ? [BACKLOG] : []), ...GATES[step.phase]].map((gate) => ({
      gate: gate.name,
      query: queryOf(gate, { windowMs: options.watch, match: options.match ?? '' }),
      allowed: allowedBy(gate),
    }));
    const lines = gates.map(({ gate, allowed, query }) => `  # ${gate}: ${allowed}\n  #   ${query}`);
    output.result(
      { phase: step.phase, wouldWatch: gates, minutes: options.watch / MINUTE_MS },
      `# phase ${step.phase}: watch for ${minutes(options.watch)}\n${lines.join('\n')}`,
    );
  }
}

function question(command: string): string {
  return `${command}\nRun it? Its pods restart, and their clients reconnect.`;
}

function minutes(ms: number): string {
  return `${ms / MINUTE_MS} minutes`;
}
