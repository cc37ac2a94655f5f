/**
 * A real run, as the dashboard would show it: PostgreSQL, Redis, two pods, clients, and a real Prometheus for some
 * minutes; half way one pod is ended and another one started in its place. Then each panel's queries are asked over
 * the whole run, and drawn to docs/images/dashboard.svg. Not by Grafana: that is no part of this repository.
 *
 *   node --import tsx deploy/src/grafana/draw-run.ts [minutes, default 4]
 */
import { startPostgres, startRedis, workspaceDir } from '@sanctum/local-servers';
import { migrate } from '@sanctum/messaging/adapters/postgres/migrate';
import { expectStatus, HttpClient } from '@sanctum/messaging/tests/support/http-client';
import { type PodProcess, spawnPod } from '@sanctum/messaging/tests/support/pod';
import { TestClient } from '@sanctum/messaging/tests/support/test-client';
import { mintToken } from '@sanctum/messaging/tests/support/tokens';
import { freePort } from '@sanctum/local-servers';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startPrometheus } from '../prometheus/live-prometheus.ts';
import { drawPanels, type Line } from './draw-panels.ts';
import { rows } from './panels.ts';

const FILE = path.join(workspaceDir, 'docs/images/dashboard.svg');
const SCRAPE_MS = 5_000;
const POST_EVERY_MS = 100;
const READERS = 5;

const minutes = Number(process.argv[2] ?? 4);
if (!(minutes >= 1 && minutes <= 60)) throw new Error(`minutes: 1 to 60, not ${process.argv[2]}`);

const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-run-'));
const postgres = await startPostgres({ dataDir: path.join(dir, 'postgres'), durable: false });
const redis = await startRedis({ dir: path.join(dir, 'redis') });
await migrate(postgres.url);
const ports = [await freePort(), await freePort()];
const startPod = (index: number) =>
  spawnPod({
    postgresUrl: postgres.url,
    redisUrl: redis.url,
    env: { HTTP_PORT: String(ports[index]), CONSUMER_NAME: `messaging-${index + 1}` },
  });
const pods: PodProcess[] = [await startPod(0), await startPod(1)];
const prometheus = await startPrometheus({
  dir: path.join(dir, 'prometheus'),
  targets: ports.map((port) => `127.0.0.1:${port}`),
  scrapeMs: SCRAPE_MS,
});

const start = Date.now() / 1000;
const readers = Array.from({ length: READERS }, (_, index) => `reader-${index + 1}`);
const alice = new HttpClient(pods[0]!.httpUrl, await mintToken({ sub: 'alice' }));
const { conversation_id: id } = expectStatus(await alice.createConversation(['alice', ...readers]), 201);
const connect = async (user: string, pod: PodProcess) =>
  TestClient.connect({ url: pod.wsUrl, token: await mintToken({ sub: user }), failOnFault: false });
let clients = await Promise.all(readers.map((user, index) => connect(user, pods[index % 2]!)));
let restarted = false;
while (Date.now() / 1000 - start < minutes * 60) {
  expectStatus(await alice.postMessage(id), 201);
  await delay(POST_EVERY_MS);
  if (restarted || Date.now() / 1000 - start < minutes * 30) continue;
  restarted = true;
  await pods[1]!.stop();
  pods[1] = await startPod(1);
  for (const client of clients) client.terminate();
  clients = await Promise.all(readers.map((user, index) => connect(user, pods[index % 2]!)));
}
const end = Date.now() / 1000;

const lines = new Map<string, Line[]>();
const silent: string[] = [];
for (const panel of rows.flatMap((row) => row.panels)) {
  const drawn: Line[] = [];
  for (const { expr, legend } of panel.queries) {
    const series = await prometheus.queryRange(expr, { start, end, step: SCRAPE_MS / 1000 });
    if (series.length === 0) silent.push(expr);
    for (const { labels, points } of series)
      drawn.push({
        name: legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? ''),
        points,
      });
  }
  lines.set(panel.title, drawn);
}
await mkdir(path.dirname(FILE), { recursive: true });
const caption = `${minutes} minutes, two pods, ${READERS} readers; one pod replaced half way`;
await writeFile(
  FILE,
  drawPanels(rows, (panel) => lines.get(panel.title)!, caption),
);
process.stdout.write(`${FILE}\n${silent.map((expr) => `no data: ${expr}\n`).join('')}`);
if (silent.length > 0) process.exitCode = 1;

for (const client of clients) client.terminate();
alice.close();
await prometheus.stop();
await Promise.all(pods.map((pod) => pod.stop()));
await Promise.all([postgres.stop(), redis.stop()]);
await rm(dir, { recursive: true });
