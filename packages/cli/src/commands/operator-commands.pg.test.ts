import { processIdentity } from '@sanctum/local-servers';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { eventually } from '@sanctum/messaging/tests/support/eventually';
import { TcpProxy } from '@sanctum/messaging/tests/chaos/tcp-proxy';
import { podFigures } from '@sanctum/messaging/tests/support/pod-figures';
import { Scene } from '@sanctum/messaging/tests/support/scene';
import { type Clock, systemClock } from '@sanctum/messaging/clock';
import type { Pod } from '@sanctum/messaging/tests/support/pod';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { runCli } from '../cli.ts';
import type { Shell } from '../shell.ts';
import { TestShell, type TestShellOptions } from '../tests/test-shell.ts';

const MARKER = 'bWFya2VyLW1hcmtlcg==';

let scene: Scene;
let pod: Pod;
let printed = '';

beforeAll(async () => {
  scene = await Scene.begin();
  pod = await scene.pod();
});
afterAll(async () => {
  await scene.end();
});

async function run(
  args: string[],
  { clock = systemClock, ...options }: Omit<TestShellOptions, 'clock'> & { clock?: Clock } = {},
): Promise<TestShell & { code: number }> {
  const env = { POSTGRES_URL: scene.databaseUrl, REDIS_URL: scene.redisUrl };
  const shell = Object.assign(new TestShell({ env, ...options }), { clock });
  const code = await runCli(args, shell);
  printed += shell.out + shell.err;
  return Object.assign(shell as unknown as TestShell, { code });
}

describe('a pod is running', () => {
  test('status shows every stage once, and exits with 0', async () => {
    const { code, values } = await eventually(async () => {
      const shell = await run(['status', '--once', '--json']);
      expect(shell.values[0]).toMatchObject({ pods: [{ state: 'ready' }] });
      return shell;
    });
    expect(code).toBe(0);
    expect(await scene.sql(`SELECT DISTINCT figures->'stream' AS stream FROM messaging.pod_figures`)).toEqual(
      [{ stream: { name: 'sanctum:messages', partitions: 1, maxLength: 1_000_000, group: 'messaging-hub' } }],
    );
    const { stages } = values[0] as { stages: { name: string; health: string }[] };
    expect(stages.map(({ health }) => health)).toEqual(Array.from({ length: 7 }, () => 'ok'));
    const { out } = await run(['status', '--once']);
    expect(out).toMatch(/dispatcher {2}ok/);
  });

  test('status without a named Redis says so, and takes nothing for down', async () => {
    const env = { POSTGRES_URL: scene.databaseUrl };
    const { code, out } = await run(['status', '--once'], { env });
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/stream {6}off[^]*not named: set REDIS_URL or --redis-url/),
    ]);
    expect(out).toMatch(/dispatcher {2}ok[^]*consumer {4}ok[^]*hub {9}ok/);
  });

  test('status where Redis is out of its own reach takes no stage for down that a pod does', async () => {
    const env = { POSTGRES_URL: scene.databaseUrl, REDIS_URL: 'redis://127.0.0.1:1' };
    const { code, out } = await run(['status', '--once'], { env });
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/stream {6}degraded[^]*Redis does not answer from here; pods still reach it/),
    ]);
    expect(out).toMatch(/dispatcher {2}ok[^]*consumer {4}ok[^]*hub {9}ok/);
  });

  test('doctor finds what is wrong, each with what to do', async () => {
    const { code, values } = await run(['doctor', '--json']);
    const { findings } = values[0] as { findings: { check: string; level: string; remedy?: string }[] };
    const checks = new Set(findings.map(({ check }) => check));
    for (const check of [
      'settings',
      'postgres version',
      'postgres clock',
      'postgres durability',
      'schema',
      'permissions',
      'partitions',
      'redis version',
      'redis persistence',
      'redis eviction',
      'consumer group',
      'timeline and epoch',
      'pods',
      'outbox',
    ])
      expect(checks, check).toContain(check);
    for (const { level, remedy } of findings) if (level !== 'ok') expect(remedy).toBeTruthy();
    // The server of the tests runs without fsync.
    expect(code).toBe(1);
    expect(findings).toContainEqual(
      expect.objectContaining({ check: 'postgres durability', level: 'problem' }),
    );
    const problems = findings.filter(({ level }) => level === 'problem').map(({ check }) => check);
    expect(new Set(problems)).toEqual(new Set(['postgres durability']));
  });

  test('pause and resume are followed by the pods, and doctor knows of it', async () => {
    expect((await run(['pause', 'dispatcher', '--reason', 'drill'])).code).toBe(2);
    const { code, values } = await run([
      'pause',
      'dispatcher',
      '--reason',
      'drill',
      '--for',
      '1h',
      '--yes',
      '--json',
    ]);
    expect(code).toBe(0);
    expect(values[0]).toMatchObject({
      stage: 'dispatcher',
      paused: true,
      reason: 'drill',
      changed_by: expect.stringMatching(/^cli:/),
    });
    await eventually(async () => {
      expect(await (await fetch(`${pod.httpUrl}/metrics`)).text()).toContain(
        'messaging_control_paused{stage="dispatcher"} 1',
      );
    });
    expect((await run(['status', '--once'])).out).toMatch(/dispatcher {2}paused/);
    expect((await run(['doctor'])).out).toContain('sanctum resume dispatcher');
    expect((await run(['resume', 'dispatcher', '--yes'])).out).toMatch(/dispatcher {2}runs {2}since/);
  });

  test('trace, replay: a message’s way, and once more', async () => {
    const conversationId = await scene.conversation(pod, ['ann', 'ben']);
    const client = await scene.connect(pod, 'ben');
    const messageId = randomUUID();
    const http = await scene.http(pod, 'ann');
    await http.postMessage(conversationId, { messageId, ciphertext: MARKER });
    await client.untilMessages(conversationId, 1);
    await eventually(async () => {
      const { out, code } = await run(['trace', messageId]);
      expect(code).toBe(0);
      expect(out).toMatch(/published {5}yes/);
      expect(out).toMatch(/delivered {5}1 of 1 connected readers/);
    });
    expect((await run(['trace', randomUUID()])).code).toBe(1);
    expect((await run(['trace', 'x'])).code).toBe(2);
    const replay = ['replay', '--conversation', conversationId, '--since', '1h'];
    const dry = await run([...replay, '--dry-run', '--json']);
    const all = { pods_missing: [], conversations_uncounted: 0 };
    expect(dry.values).toEqual([{ messages: 1, conversations: 1, from: 1, to: 1, clients: 1, ...all }]);
    // Without Redis no pod can be asked, and that is said.
    const env = { POSTGRES_URL: scene.databaseUrl };
    expect((await run([...replay, '--dry-run'], { env })).out).toMatch(
      /^1 messages, to at least 0 connected clients \(1 pods did not answer: .+\)\n$/,
    );
    expect((await run(replay)).code).toBe(2);
    // Times are those of the server that wrote them, not of this machine.
    for (const aheadMs of [-2 * 3_600_000, 2 * 3_600_000]) {
      const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
      expect((await run([...replay, '--dry-run', '--json'], { clock })).values).toMatchObject([
        { messages: 1 },
      ]);
    }
    const { code, values } = await run([...replay, '--yes', '--json']);
    expect([code, values[0]]).toEqual([0, expect.objectContaining({ state: 'done', done: 1 })]);
    await eventually(() =>
      expect(client.received.messages.filter(({ replay: no }) => no > 0)).toHaveLength(1),
    );
    await scene.allSent();
    expect((await run([...replay, '--dry-run'])).err).toBe('');
    expect((await run(['pause', 'dispatcher', '--reason', 'drill', '--yes'])).code).toBe(0);
    await eventually(async () => {
      expect(await (await fetch(`${pod.httpUrl}/metrics`)).text()).toContain(
        'messaging_control_paused{stage="dispatcher"} 1',
      );
    });
    const paused = await run([...replay, '--yes']);
    expect(paused.out).toBe('done: 1 of 1 messages set to be sent again\n');
    expect(paused.err).toContain('the dispatcher is paused: they wait until it runs\n');
    expect((await run([...replay, '--yes'])).out).toMatch(/, or it already waits to be sent\n$/);
    expect((await run(['resume', 'dispatcher', '--yes'])).code).toBe(0);
    await scene.allSent();
  });

  test('dead letters are listed, and requeued once asked for', async () => {
    const conversationId = await scene.conversation(pod, ['cat', 'dan']);
    await scene.post(pod, 'cat', conversationId, 2);
    await eventually(async () => expect(await scene.onStream(conversationId)).toHaveLength(2));
    await scene.sql(
      `UPDATE messaging.message_outbox SET status = 'dead', last_error = 'refused' WHERE aggregate_id = $1`,
      [conversationId],
    );
    expect((await run(['dead-letters'])).out).toMatch(/^2 dead letters \(row\)\n +2 {2}refused, since /);
    const inAll = String.raw`^2 dead letters \(row\) in all\n +2 {2}refused, since .*\n`;
    for (const [filter, matching] of [
      [['--cause', 'refused', '--limit', '1'], String.raw`2 that match\n .* refused\n$`],
      [['--cause', 'too_large'], String.raw`0 that match\n$`],
      [['--conversation', randomUUID()], String.raw`0 that match\n$`],
    ] as const) {
      const { out } = await run(['dead-letters', ...filter]);
      expect(out).toMatch(new RegExp(inAll + matching));
    }
    expect((await run(['dead-letters', 'requeue', '--yes'])).code).toBe(2);
    expect((await run(['dead-letters', 'requeue', '--all', '--limit', '1', '--yes'])).code).toBe(2);
    const dry = await run(['dead-letters', 'requeue', '--cause', 'refused', '--dry-run', '--json']);
    expect(dry.values[0]).toMatchObject({ messages: 2, conversations: 1 });
    const env = { POSTGRES_URL: scene.databaseUrl };
    expect((await run(['dead-letters', 'requeue', '--all', '--dry-run'], { env })).out).toMatch(
      /^2 of 1 conversations, to at least 0 connected clients \(1 pods did not answer: .+\)\n$/,
    );
    const { values } = await run(['dead-letters', 'requeue', '--cause', 'refused', '--yes', '--json']);
    expect(values[0]).toMatchObject({ state: 'done', done: 2 });
    await eventually(async () => expect((await run(['dead-letters'])).out).toContain('no dead letters'));
  });

  test('revoke, partitions, prune', async () => {
    expect((await run(['revoke', '--yes'])).code).toBe(2);
    const { values } = await run(['revoke', '--user', 'eve', '--yes', '--json']);
    expect(values[0]).toMatchObject({ user_id: 'eve', revoked_by: expect.stringMatching(/^cli:/) });
    expect((await run(['partitions'])).out).toMatch(/message_outbox_default[^]*kept for 7 days/);
    expect((await run(['partitions', 'ensure', '--yes', '--json'])).values).toEqual([{ made: 0 }]);
    expect((await run(['prune', '--yes', '--json'])).values).toEqual([{ dropped: [], dlq_rows: 0 }]);
    const rows = await scene.sql<{ action: string }>(
      `SELECT DISTINCT action FROM messaging.operator_audit WHERE operator LIKE 'cli:_%' ORDER BY 1`,
    );
    expect(rows.map(({ action }) => action)).toEqual([
      'ensure_partitions',
      'pause',
      'prune',
      'replay',
      'requeue',
      'resume',
      'revoke',
    ]);
  });

  test('with PostgreSQL cut off, a status that runs shows the outbox red and goes on; then all is well', async () => {
    const proxy = await TcpProxy.start(Number(new URL(scene.databaseUrl).port));
    const url = Object.assign(new URL(scene.databaseUrl), { port: String(proxy.port) }).href;
    const shell = Object.assign(new TestShell({ env: { POSTGRES_URL: url, REDIS_URL: scene.redisUrl } }), {
      clock: systemClock,
    });
    const ended = runCli(['status'], shell);
    const last = () => shell.out.slice(shell.out.lastIndexOf('stage  '));
    await shell.until(() => /outbox {6}ok/.test(last()));
    await proxy.refuse();
    await shell.until(() => /outbox {6}down[^]*PostgreSQL does not answer[^]*hub {9}ok/.test(last()));
    // Pods are heard over the bus: nobody takes them for gone.
    expect(last()).toMatch(/consumer {4}ok/);
    expect(last()).toMatch(/1\/1\n/);
    await proxy.accept();
    await shell.until(() => /outbox {6}ok/.test(last()));
    shell.interrupt();
    expect(await ended).toBe(0);
    await proxy.refuse();
  });

  test('what an operator mistypes is said in words', async () => {
    const to = ['--conversation', randomUUID(), '--yes'];
    for (const [args, message] of [
      [['replay', ...to, '--since', '1h', '--until', '2h'], /--until must be later than --since/],
      [['replay', ...to, '--since', 'yesterday'], /a time such as .* or 15m/],
      [['pause', 'consumer', '--reason', ' ', '--yes'], /1–500 characters/],
      [['pause', 'hub', '--reason', 'x'], /Allowed choices are dispatcher, consumer, delivery/],
      [['prune', '--outbox-days', '0', '--yes'], /a number from 1/],
      [['revoke', '--user', 'a', '--sid', 'b', '--yes'], /one of --user <user> and --sid/],
    ] as const) {
      const { code, err, out } = await run([...args]);
      expect([code, out]).toEqual([2, '']);
      expect(err).toMatch(message);
    }
    expect((await run(['replay', ...to, '--since', '1h'])).out).toMatch(/no message of that conversation/);
  });

  test('a question is asked at a terminal, and "no" changes nothing', async () => {
    const { code, err } = await run(['pause', 'consumer', '--reason', 'x'], { isTTY: true, stdin: 'n\n' });
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/Pause consumer on every pod\? \[y\/N\][^]*nothing was changed/),
    ]);
    const [row] = await scene.sql(`SELECT paused FROM messaging.control WHERE stage = 'consumer'`);
    expect(row).toEqual({ paused: false });
  });

  test('Ctrl-C at the question ends the command as it would any other; only what runs is stopped gently', async () => {
    const conversationId = await scene.conversation(pod, ['eli', 'fay']);
    await scene.post(pod, 'eli', conversationId);
    const of = ['--conversation', conversationId];
    const isCaught = async (args: string[], stdin: string) => {
      const shell = Object.assign(
        new TestShell({
          env: { POSTGRES_URL: scene.databaseUrl, REDIS_URL: scene.redisUrl },
          isTTY: true,
          stdin,
        }),
        { clock: systemClock, onInterrupt: vi.fn<Shell['onInterrupt']>(() => () => undefined) },
      );
      await runCli(args, shell);
      expect(shell.err).toContain('[y/N]');
      return shell.onInterrupt.mock.calls.length > 0;
    };
    await scene.allSent();
    const replay = ['replay', ...of, '--since', '1h'];
    expect([await isCaught(replay, 'n\n'), await isCaught(replay, 'y\n')]).toEqual([false, true]);
    await scene.allSent();
    await scene.sql(
      `UPDATE messaging.message_outbox SET status = 'dead', last_error = 'refused' WHERE aggregate_id = $1`,
      [conversationId],
    );
    const requeue = ['dead-letters', 'requeue', ...of];
    expect([await isCaught(requeue, 'n\n'), await isCaught(requeue, 'y\n')]).toEqual([false, true]);
  });

  test('nothing of a message’s content was printed', () => {
    expect(printed.length).toBeGreaterThan(1000);
    expect(printed).not.toContain(MARKER);
  });
});

test.each([
  ['status'],
  ['trace', randomUUID()],
  ['pause', 'consumer', '--reason', 'x', '--yes'],
  ['resume', 'consumer', '--yes'],
  ['partitions'],
  ['prune', '--yes'],
  ['dead-letters'],
  ['revoke', '--user', 'a', '--yes'],
])('with no PostgreSQL %s says what was tried, and what to do', async (...args) => {
  const env = { POSTGRES_URL: 'postgres://ops:secret@127.0.0.1:1/none' };
  const { code, out, err } = await run(args, { env });
  expect([code, out]).toEqual([1, '']);
  expect(err).toBe(
    'error: no PostgreSQL to be had at 127.0.0.1:1\nStart it, or name another one with --postgres-url.\n',
  );
});

test('status --once takes no dispatcher for down that was only quiet for a moment', async () => {
  const other = await Scene.begin();
  await other.insert(randomUUID());
  await other.sql(`UPDATE messaging.message_outbox SET occurred_at = now() - INTERVAL '1 minute'`);
  const instance = randomUUID();
  let at = 0;
  const tell = async () => {
    at += 1;
    const totals = { ...podFigures().totals, dispatched: at > 4 ? 1 : 0 };
    await other.sql(
      `INSERT INTO messaging.pod_figures (instance, figures) VALUES ($1, $2)
       ON CONFLICT (instance) DO UPDATE SET figures = excluded.figures, seen_at = now()`,
      [instance, JSON.stringify(podFigures({ instance, at, totals }))],
    );
  };
  await tell();
  const speaks = setInterval(() => void tell(), 1000);
  onTestFinished(async () => {
    clearInterval(speaks);
    await other.end();
  });
  const { code, out } = await run(['status', '--once'], { env: { POSTGRES_URL: other.databaseUrl } });
  expect([code, out]).toEqual([0, expect.stringMatching(/dispatcher {2}degraded[^]*the oldest row waits/)]);
});

test('where no database is named, the one that `npm start` runs here is meant', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sanctum-test-'));
  const runFile = path.join(folder, 'run.json');
  const urls = { postgres: scene.databaseUrl, redis: scene.redisUrl };
  const tell = async (identity: string | undefined) =>
    writeFile(runFile, JSON.stringify({ identity, pid: process.pid, servers: [], urls }));
  const partitions = async () => {
    const shell = Object.assign(new TestShell(), { runFile });
    return { code: await runCli(['partitions'], shell), shell };
  };
  await tell(await processIdentity(process.pid));
  const found = await partitions();
  expect([found.code, found.shell.out]).toEqual([0, expect.stringMatching(/message_outbox_default/)]);
  expect(found.shell.err).toContain(`looking at what \`npm start\` runs here (pid ${process.pid})`);
  // A run that was killed left its file behind.
  await tell('1@1');
  const over = await partitions();
  expect([over.code, over.shell.err]).toEqual([2, expect.stringMatching(/no database: give --postgres-url/)]);
  await rm(folder, { recursive: true });
});

test('with no PostgreSQL doctor says so, and what to do', async () => {
  const env = { POSTGRES_URL: 'postgres://127.0.0.1:1/none' };
  const { code, out } = await run(['doctor'], { env });
  expect(code).toBe(1);
  expect(out).toMatch(/problem {2}postgres[^]*→ Start it/);
});

test('where no pod lives, a requeue says what the messages wait for', async () => {
  const other = await Scene.begin();
  onTestFinished(() => other.end());
  await other.insert(randomUUID());
  await other.sql(`UPDATE messaging.message_outbox SET status = 'dead', last_error = 'refused'`);
  const env = { POSTGRES_URL: other.databaseUrl, REDIS_URL: other.redisUrl };
  const { code, out, err } = await run(['dead-letters', 'requeue', '--all', '--yes'], { env });
  expect([code, out]).toEqual([0, 'done: 1 of 1 messages set to be sent again\n']);
  for (const stage of ['dispatcher', 'consumer'])
    expect(err).toContain(
      `the ${stage} is on no living pod (${stage.toUpperCase()}_ENABLED=true): they wait until it runs\n`,
    );
});
