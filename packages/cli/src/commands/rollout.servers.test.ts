import { RecordingCluster } from '@sanctum/deploy/cluster/recording-cluster';
import { kubernetesDir, render, type Manifest } from '@sanctum/deploy/render';
import { ensureKubectl, freePort } from '@sanctum/local-servers';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../cli.ts';
import { Kubectl } from '../rollout/kubectl.ts';
import { watch } from '../rollout/watch.ts';
import { BackfilledPrometheus, type Series } from '../tests/backfilled-prometheus.ts';
import { ManualClock } from '../tests/manual-clock.ts';
import { TestShell } from '../tests/test-shell.ts';

/*
 * The real kubectl against the recording API server, the gates against a real Prometheus. What Prometheus has seen
 * was written beforehand, a story for each value of the label `story`; the clock of the command jumps over its
 * pauses, and it asks Prometheus about the moments it then believes to be in.
 */

const FROM_MS = Date.UTC(2025, 1, 3);
const LENGTH_S = 3600;
/** When the command is typed: by then every story has some past. */
const TYPED_S = 600;
const TYPED_MS = FROM_MS + TYPED_S * 1000;
const POSTS = ',route="/v1/conversations/{id}/messages",method="POST"';
const PROBES = ',route="/readyz",method="GET"';
const BUCKETS = [0.1, 1, 5, 10, 60];

interface Story {
  readonly published?: number;
  readonly acked?: number;
  readonly sent?: number;
  readonly deadAt?: number;
  readonly failed?: number;
  readonly serverErrors?: number;
  readonly notReady?: number;
  readonly consumerFailures?: number;
  readonly unread?: (t: number) => number;
  readonly lagS?: number;
  readonly frames?: number;
  readonly pathOk?: number;
}

const STORIES: Readonly<Record<string, Story>> = {
  // Phase 1's backlog falls below 5 s just after the 20th minute.
  healthy: { unread: (t) => Math.max(0, 305 - Math.max(0, t - TYPED_S) / 4) },
  idle: { sent: 0, published: 0 },
  unmarked: { published: 20 },
  dead: { deadAt: TYPED_S + 200 },
  failing: { failed: 0.5 },
  'http-errors': { serverErrors: 1 },
  draining: { notReady: 2 },
  'never-drained': { unread: () => 90 },
  lagging: { lagS: 30 },
  unacknowledged: { acked: 8 },
  'consumer-failures': { consumerFailures: 0.5 },
  'no-reader': { frames: 0 },
  'broken-path': { pathOk: 0 },
};

function seriesOf([story, told]: [string, Story]): Series[] {
  const { sent = 10, published = 10, acked = 10, failed = 0, serverErrors = 0, notReady = 0 } = told;
  const {
    consumerFailures = 0,
    lagS = 0.05,
    frames = 30,
    pathOk = 1,
    unread = () => 0,
    deadAt = Infinity,
  } = told;
  const of = (labels = '') => `{story="${story}",pod="messaging-canary-0"${labels}}`;
  const rate = (each: number) => (t: number) => each * t;
  return [
    [`messaging_outbox_sent_total${of()}`, rate(sent)],
    [`messaging_outbox_picked_total${of()}`, rate(sent)],
    [`messaging_outbox_failed_total${of()}`, rate(failed)],
    [`messaging_outbox_dead_total${of()}`, (t) => (t >= deadAt ? 1 : 0)],
    [`messaging_dispatch_published_total${of()}`, rate(published)],
    [`messaging_dispatch_resent_total${of()}`, rate(0)],
    [`messaging_http_requests_total${of(`${POSTS},status="201"`)}`, rate(10)],
    ...(serverErrors === 0
      ? []
      : ([[`messaging_http_requests_total${of(`${POSTS},status="503"`)}`, rate(serverErrors)]] as Series[])),
    [`messaging_http_requests_total${of(`${PROBES},status="200"`)}`, rate(100)],
    [`messaging_http_requests_total${of(`${PROBES},status="503"`)}`, rate(notReady)],
    [`messaging_consumer_delivered_total${of()}`, rate(10)],
    [`messaging_consumer_ack_total${of()}`, rate(acked)],
    [`messaging_consumer_failures_total${of(',reason="broadcast_failed"')}`, rate(consumerFailures)],
    [`messaging_consumer_oldest_unread_seconds${of()}`, unread],
    [`transport_messages_sent_total${of()}`, rate(frames)],
    [`messaging_path_ok${of()}`, () => pathOk],
    ...[...BUCKETS, Infinity].map((le): Series => {
      const bound = le === Infinity ? '+Inf' : String(le);
      return [`messaging_consumer_lag_seconds_bucket${of(`,le="${bound}"`)}`, rate(lagS <= le ? 10 : 0)];
    }),
  ];
}

/** Pauses are jumped over. */
class JumpingClock extends ManualClock {
  override async sleep(delayMs: number): Promise<void> {
    await super.sleep(delayMs);
    this.advance(delayMs);
  }
}

let prometheus: BackfilledPrometheus;
let kubectl: string;
let manifests: Manifest[];
let cluster: RecordingCluster;

beforeAll(async () => {
  [kubectl, manifests, prometheus] = await Promise.all([
    ensureKubectl({ progress: () => undefined }),
    render(path.join(kubernetesDir, 'overlays/example')),
    BackfilledPrometheus.start(Object.entries(STORIES).flatMap(seriesOf), {
      fromMs: FROM_MS,
      lengthS: LENGTH_S,
    }),
  ]);
}, 120_000);
afterAll(() => prometheus.stop());
beforeEach(async () => {
  cluster = await RecordingCluster.start(manifests);
});
afterEach(() => cluster.stop());

async function sanctum(args: string, options: { story?: string; isTTY?: boolean; stdin?: string } = {}) {
  const clock = new JumpingClock({ nowMs: TYPED_MS });
  const env = { ...(process.env as Record<string, string>), ...cluster.env };
  const { story, ...tty } = options;
  const shell = new TestShell({ env, clock, ...tty });
  const gates =
    story === undefined ? [] : ['--prometheus-url', prometheus.url, '--match', `story="${story}"`];
  const code = await runCli(
    ['rollout', ...args.split(' ').filter(Boolean), '--kubectl', kubectl, ...gates],
    shell,
  );
  return { code, shell, minutes: (clock.now() - TYPED_MS) / 60_000 };
}

const flags = () =>
  ['messaging', 'messaging-canary'].map((name) =>
    ['DISPATCHER_ENABLED', 'CONSUMER_ENABLED'].map((flag) => cluster.variable(name, flag)),
  );
const turnOn = async (phase: 1 | 2) => {
  const flag = phase === 1 ? 'DISPATCHER_ENABLED' : 'CONSUMER_ENABLED';
  const env = { ...(process.env as Record<string, string>), ...cluster.env };
  await new Kubectl({ env }, { kubectl }).run([
    'set',
    'env',
    'deployment',
    '-l',
    'app=messaging',
    `${flag}=true`,
  ]);
};

it('goes through both phases, canary first, and waits for the backlog before the second one is watched', async () => {
  const { code, shell, minutes } = await sanctum('--yes --json --watch 10m', { story: 'healthy' });
  expect([code, shell.err]).toEqual([0, expect.stringContaining("phase 1's backlog")]);
  const steps = shell.values.map(
    (value) => value['did'] ?? (value['gates'] === undefined ? 'done' : 'gates'),
  );
  expect(steps).toEqual([
    `${kubectl} set env deployment --selector app=messaging,canary=true DISPATCHER_ENABLED=true`,
    'gates',
    `${kubectl} set env deployment/messaging DISPATCHER_ENABLED=true`,
    `${kubectl} set env deployment --selector app=messaging,canary=true CONSUMER_ENABLED=true`,
    'gates',
    `${kubectl} set env deployment/messaging CONSUMER_ENABLED=true`,
    'done',
  ]);
  expect(flags()).toEqual([
    ['true', 'true'],
    ['true', 'true'],
  ]);
  // 10 minutes of watching, 10 of waiting, 10 of watching.
  expect(minutes).toBeGreaterThan(30);
  expect(minutes).toBeLessThan(32);
});

describe('a gate that does not hold', () => {
  it.each([
    ['idle', 1, 'messages sent to the stream: 0 (more than 0)'],
    ['unmarked', 1, 'published ≈ sent: 2 (0.99 … 1.05)'],
    ['dead', 1, 'rows given up as dead'],
    ['failing', 1, 'rows that failed, of those picked: 0.05'],
    ['http-errors', 1, 'API calls answered with 5xx: 0.09091'],
    ['nobody-scraped-this', 1, 'messages sent to the stream: no data'],
    ['never-drained', 2, 'oldest unread entry, seconds: 90 (below 5)'],
    ['lagging', 2, 'lag p95, seconds'],
    ['unacknowledged', 2, 'acknowledged ≈ delivered: 0.8'],
    ['consumer-failures', 2, 'failures, of entries delivered: 0.05'],
    ['no-reader', 2, 'message frames written to clients: 0'],
    ['broken-path', 2, 'synthetic messages come back (messaging_path_ok): 0'],
  ] as const)('%s ends phase %i', async (story, phase, why) => {
    const clock = new JumpingClock({ nowMs: TYPED_MS });
    const options = { prometheusUrl: prometheus.url, watchMs: 300_000, backlogMs: 300_000 };
    const watched = watch(phase, { ...options, match: `story="${story}"` }, { clock, note: () => undefined });
    await expect(watched).rejects.toThrow(`✗ ${why}`);
  });

  it.each([1, 2] as const)(
    'is not the pod that is not ready: its probes are no calls (phase %i)',
    async (phase) => {
      const clock = new JumpingClock({ nowMs: TYPED_MS });
      const options = { prometheusUrl: prometheus.url, watchMs: 300_000, backlogMs: 300_000 };
      await watch(phase, { ...options, match: 'story="draining"' }, { clock, note: () => undefined });
    },
  );

  it('stops the rollout at once, if waiting cannot mend it, and the other pods stay as they were', async () => {
    const { code, shell, minutes } = await sanctum('--yes', { story: 'dead' });
    expect([code, shell.err]).toEqual([1, expect.stringContaining('✗ rows given up as dead')]);
    expect(shell.err).toContain('sanctum rollout back');
    expect(minutes).toBeLessThan(6);
    expect(flags()).toEqual([
      ['false', 'false'],
      ['true', 'false'],
    ]);
  });
});

it('goes on where it stands: what is on already is not set again', async () => {
  await turnOn(1);
  cluster.changes.length = 0;
  const { code } = await sanctum('--yes --watch 10m', { story: 'healthy' });
  expect(code).toBe(0);
  expect(cluster.changes).toHaveLength(2);
  const again = await sanctum('--yes', { story: 'healthy' });
  expect([again.code, again.shell.out]).toEqual([0, expect.stringContaining('Nothing to do')]);
  expect(cluster.changes).toHaveLength(2);
});

it('does not go on, nor is it through, while pods do not take what was set', async () => {
  cluster.stuck.add('messaging');
  await turnOn(1);
  cluster.changes.length = 0;
  const stuck = expect.stringContaining('exceeded its progress deadline');
  const halfway = await sanctum('--yes --watch 10m', { story: 'healthy' });
  expect([halfway.code, halfway.shell.err, cluster.changes]).toEqual([1, stuck, []]);
  await turnOn(2);
  const last = await sanctum('--yes', { story: 'healthy' });
  expect([last.code, last.shell.err]).toEqual([1, stuck]);
  expect(last.shell.out).not.toContain('both phases are through');
});

it('the dry run prints commands and gates, and changes nothing', async () => {
  const { code, shell } = await sanctum('--dry-run', { story: 'healthy' });
  expect([code, shell.err, cluster.changes]).toEqual([0, '', []]);
  expect(shell.out).toContain(
    'set env deployment --selector app=messaging,canary=true DISPATCHER_ENABLED=true',
  );
  expect(shell.out).toContain('sum(increase(messaging_outbox_dead_total{story="healthy"}[1800s]))');
  expect(shell.out).toContain('max(messaging_consumer_oldest_unread_seconds{story="healthy"})');
});

it('asks before a change, and a no changes nothing', async () => {
  const { code, shell } = await sanctum('', { story: 'healthy', isTTY: true, stdin: 'n\n' });
  expect([code, cluster.changes]).toEqual([1, []]);
  expect(shell.err).toContain('DISPATCHER_ENABLED=true\nRun it?');
  const blind = await sanctum('', { story: 'healthy' });
  expect([blind.code, blind.shell.err]).toEqual([2, expect.stringContaining('--yes')]);
});

it('back switches both flags off on both Deployments', async () => {
  await turnOn(1);
  await turnOn(2);
  const dry = await sanctum('back --dry-run');
  expect(dry.shell.out).toContain(
    'deployment/messaging deployment/messaging-canary DISPATCHER_ENABLED=false',
  );
  const { code } = await sanctum('back --yes');
  expect([code, flags()]).toEqual([
    0,
    [
      ['false', 'false'],
      ['false', 'false'],
    ],
  ]);
});

it('changes nothing while Prometheus does not answer', async () => {
  const port = await freePort();
  const { code, shell } = await sanctum(`--yes --prometheus-url http://127.0.0.1:${port}`);
  expect([code, cluster.changes]).toEqual([1, []]);
  expect(shell.err).toContain('Prometheus: nothing answers');
});

it('says what is missing: Prometheus, kubectl, the Deployments', async () => {
  const without = await sanctum('--yes');
  expect([without.code, without.shell.err]).toEqual([2, expect.stringContaining('--prometheus-url')]);
  const elsewhere = await sanctum('--yes -n default', { story: 'healthy' });
  expect([elsewhere.code, elsewhere.shell.err]).toEqual([1, expect.stringContaining('--namespace')]);
  const shell = new TestShell();
  expect(await runCli(['rollout', '--kubectl', '/nowhere/kubectl'], shell)).toBe(1);
  expect(shell.err).toContain('no /nowhere/kubectl on PATH');
});
