import { PostgresDispatchLog } from '@sanctum/messaging/adapters/postgres/dispatch-log';
import { PostgresOperatorLog } from '@sanctum/messaging/adapters/postgres/operator-log';
import { viewStorage } from '@sanctum/messaging/adapters/postgres/storage-view';
import {
  BACKGROUND_JOB_STALE_SECONDS,
  PARTITIONS_AHEAD_MIN_SECONDS,
  PAUSE_FORGOTTEN_SECONDS,
} from '@sanctum/protocol/admin';
import { ageText } from '../operator/texts.ts';
import { retentionDisagreements, retentionOfPods } from '../operator/retention.ts';
import type { Stores } from '../operator/stores.ts';
import { printable } from '../output.ts';
import type { Shell } from '../shell.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

const OLDEST_PENDING_SECONDS = 30;

/** What waits, what died, what is paused and perhaps forgotten. */
export async function checkBacklog({ pool }: Stores, now: number): Promise<Finding[]> {
  const backlog = await new PostgresDispatchLog(pool, { payloadLimitBytes: 0 }).backlog();
  const { pending, oldestPendingSeconds, deadRows } = backlog;
  const paused = (await new PostgresOperatorLog(pool).controls()).filter((control) => control.paused);
  const findings: Finding[] = [];
  findings.push(
    oldestPendingSeconds > OLDEST_PENDING_SECONDS && !paused.some(({ stage }) => stage === 'dispatcher')
      ? problem(
          'outbox',
          `${pending} rows wait, the oldest for ${ageText(oldestPendingSeconds)}`,
          'See `sanctum status` for the stage that is down; is DISPATCHER_ENABLED=true anywhere?',
        )
      : ok('outbox', `${pending} rows wait`),
  );
  if (deadRows > 0) {
    findings.push(
      warning(
        'dead letters',
        `${deadRows} dead rows`,
        'See why with `sanctum dead-letters`, mend it, then `sanctum dead-letters requeue`.',
      ),
    );
  }
  for (const control of paused) {
    const since = Date.parse(control.since ?? '') || now;
    const text = `${control.stage} is paused since ${control.since} by ${printable(control.changed_by ?? '')}: ${printable(control.reason ?? '')}`;
    const remedy = `When it is no longer needed: sanctum resume ${control.stage}`;
    const isForgotten = now - since > PAUSE_FORGOTTEN_SECONDS * 1000 && control.expires_at === null;
    findings.push(isForgotten ? problem('controls', text, remedy) : warning('controls', text, remedy));
  }
  return findings;
}

/**
 * Partitions for the days to come, nothing in the default one or kept too long, and the jobs that see to it. What has
 * expired only the pods' retention tells, not this shell's.
 */
export async function checkStorage(shell: Shell, stores: Stores, now: number): Promise<Finding[]> {
  const { pool, config, fleet } = stores;
  const retention = retentionOfPods(fleet);
  const storage = await viewStorage(pool, retention ?? config.retention);
  const findings: Finding[] = [];
  const ahead = storage.ahead_seconds;
  findings.push(
    ahead < PARTITIONS_AHEAD_MIN_SECONDS
      ? problem('partitions', `only ${ageText(ahead)} ahead`, 'sanctum partitions ensure')
      : ok('partitions', `${ageText(ahead)} ahead`),
  );
  const inDefault = storage.partitions.find(({ kind }) => kind === 'default')?.rows ?? 0;
  if (inDefault > 0) {
    findings.push(
      warning('partitions', `${inDefault} rows had to go to the default one`, 'sanctum partitions ensure'),
    );
  }
  for (const text of retentionDisagreements({ shell, ...stores })) {
    findings.push(
      warning(
        'retention',
        text,
        'Give all pods, and the shells that prune, the same OUTBOX_RETENTION_DAYS and DLQ_RETENTION_DAYS.',
      ),
    );
  }
  const expired = storage.partitions.filter((partition) => partition.expired);
  if (retention !== undefined && expired.length > 1) {
    findings.push(
      warning('retention', `${expired.length} partitions have expired and are still there`, 'sanctum prune'),
    );
  }
  for (const { name, last_success_at: at, last_error: error } of storage.background_jobs) {
    const isSilent = at !== null && now - Date.parse(at) > BACKGROUND_JOB_STALE_SECONDS * 1000;
    if (error !== null) {
      findings.push(
        problem(
          `job ${name}`,
          `failed last: ${printable(error)}`,
          'See the logs of the pods for `background_job_failed`.',
        ),
      );
    } else if (at === null) {
      findings.push(
        warning(
          `job ${name}`,
          'not done yet',
          'A pod does it within half a minute of its start: is one running?',
        ),
      );
    } else if (isSilent) {
      findings.push(warning(`job ${name}`, `last done ${at}`, 'Is any pod running? One of them does it.'));
    } else findings.push(ok(`job ${name}`, `last done ${at}`));
  }
  return findings;
}

/** Who is there, whether they are of one version, and what ails them. */
export function checkPods({ fleet }: Pick<Stores, 'fleet'>): Finding[] {
  const pods = fleet.pods();
  const alive = pods.filter(({ isGone }) => !isGone).map(({ figures }) => figures);
  const gone = pods.filter(({ isGone }) => isGone).map(({ figures }) => figures.name);
  if (alive.length === 0) {
    return [
      problem(
        'pods',
        'no pod has said anything in the last seconds',
        'Start one: `npm start`, or look at its deployment.',
      ),
    ];
  }
  const findings: Finding[] = [
    ok('pods', `${alive.length} alive: ${alive.map(({ name }) => printable(name, 60)).join(', ')}`),
  ];
  if (gone.length > 0) {
    findings.push(
      warning(
        'pods',
        `ended without a word in the last hour: ${gone.map((name) => printable(name, 60)).join(', ')}`,
        'Look at their last log lines.',
      ),
    );
  }
  const names = alive.map(({ name }) => name);
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  if (twice.length > 0) {
    findings.push(
      problem(
        'pods',
        `several pods are named ${[...new Set(twice)].map((name) => printable(name, 60)).join(', ')}`,
        'Give each its own CONSUMER_NAME, such as $(POD_NAME).',
      ),
    );
  }
  const versions = new Set(alive.map(({ version }) => version));
  if (versions.size > 1) {
    findings.push(
      warning(
        'versions',
        `several at once: ${[...versions].map((version) => printable(version, 60)).join(', ')}`,
        'Fine during a rollout: finish it, or take it back.',
      ),
    );
  }
  for (const stage of ['dispatcher', 'consumer'] as const) {
    if (alive.some((pod) => pod[stage])) continue;
    const flag = `${stage.toUpperCase()}_ENABLED=true`;
    findings.push(
      warning(
        'pods',
        `none that lives has ${flag}: messages take the slow path, and replays wait`,
        `Unless that is meant, as in the middle of a rollout: set ${flag}.`,
      ),
    );
  }
  for (const { name, reasons: all, paused } of alive) {
    // The synthetic messages stand still with everything else that a paused stage would pass on.
    const isPaused = paused.includes('dispatcher') || paused.includes('consumer');
    const reasons = all.filter((reason) => !(isPaused && reason === 'path_broken'));
    if (reasons.length === 0) continue;
    findings.push(
      problem(
        'pods',
        `${printable(name, 60)}: ${printable(reasons.join(', '))}`,
        'See its `/readyz` and its log.',
      ),
    );
  }
  return findings;
}
