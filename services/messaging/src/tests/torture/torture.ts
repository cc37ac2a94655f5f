import { startPostgres, startRedis } from '@sanctum/local-servers';
import { PAYLOAD_MAX_BYTES_DEFAULT, tooLargeAbove } from '@sanctum/protocol';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { migrate } from '../../adapters/postgres/migrate.ts';
import { CallRecorder } from '../history/call-recorder.ts';
import { checkHistory } from '../history/check-history.ts';
import { HistoryWriter } from '../history/history-writer.ts';
import { readFinalState } from '../history/read-final-state.ts';
import { readHistory } from '../history/read-history.ts';
import { expectStatus, HttpClient } from '../support/http-client.ts';
import { spawnPod } from '../support/pod.ts';
import { mintToken } from '../support/tokens.ts';
import { ClientProcess } from './client-process.ts';
import { CONNECTS_A_SECOND_MAX, countConnects } from './count-connects.ts';
import { FrontProxy } from './front-proxy.ts';
import { judgeStorages } from './judge-storages.ts';
import { Nemesis, portOf } from './nemesis.ts';
import type { TortureOptions } from './torture-options.ts';
import type { DeviceSettings } from './tortured-device.ts';

/** Users of a conversation, each with two devices; a user is in two conversations. */
const MEMBERS = 4;
const SETTLE_TIMEOUT_MS = 120_000;
/** The longest pause of the back-off and a round of the slow path, with room for a loaded machine. */
const SETTLE_WITHIN_MS = 60_000;

export interface Tortured {
  readonly summary: Readonly<Record<string, unknown>>;
  readonly violations: readonly string[];
}

/** One run in a folder of its own: servers, pods, clients, faults, and the verdict. */
export async function torture(options: TortureOptions, folder: string): Promise<Tortured> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const startedAt = new Date();
  const postgres = await startPostgres({
    dataDir: path.join(folder, 'postgres'),
    database: 'messaging_test',
    durable: false,
  });
  const redis = await startRedis({ dir: path.join(folder, 'redis') });
  const proxy = await FrontProxy.start();
  const clients: ClientProcess[] = [];
  let nemesis: Nemesis | undefined;
  try {
    await migrate(postgres.url);
    const spawn = () =>
      spawnPod({ postgresUrl: postgres.url, redisUrl: redis.url, env: { LOG_LEVEL: 'info' } });
    const pods = await Promise.all(Array.from({ length: options.pods }, spawn));
    for (const pod of pods) proxy.ports.add(portOf(pod));
    const history = new HistoryWriter(`${folder}/parent.ndjson`, { process: 'parent' });
    const devices = await populate(pods[0]!.httpUrl, options.clients, folder, history);
    const violationsFile = `${folder}/violations.txt`;
    for (let n = 0; n < options.processes; n++) {
      const settings = {
        url: proxy.url,
        // The two devices of a user sit in different processes.
        devices: devices.filter((_, index) => index % options.processes === n),
        violationsFile,
        sendEveryMs: (1000 * devices.length) / options.rate,
      };
      clients.push(new ClientProcess(settings, folder, n));
    }
    await Promise.all(clients.map((client) => client.start()));
    say(`${devices.length} clients in ${clients.length} processes; faults for ${options.minutes} min`);

    nemesis = new Nemesis({ pods, spawn, proxy, clients, history });
    await nemesis.rage(performance.now() + options.minutes * 60_000);
    say('quiet; waiting until everybody has everything');
    for (const client of clients) client.quiet();
    await settled(clients, devices, postgres.url);
    history.append({ type: 'end' });
    history.close();
    await Promise.all(clients.map((client) => client.end()));

    const final = await readFinalState(postgres.url, tooLargeAbove(PAYLOAD_MAX_BYTES_DEFAULT));
    const histories = [`${folder}/parent.ndjson`, ...clients.flatMap((client) => client.histories)];
    const checked = checkHistory(readHistory(histories), final, { settleWithinMs: SETTLE_WITHIN_MS });
    const storages = await judgeStorages(devices, final);
    const told = existsSync(violationsFile)
      ? (await readFile(violationsFile, 'utf8')).trim().split('\n')
      : [];
    const connects = countConnects(readHistory(histories));
    const isHasty = connects.mostInASecond > CONNECTS_A_SECOND_MAX;
    const violations = [
      ...(isHasty ? [`back-off: a device connected ${connects.mostInASecond} times in a second`] : []),
      ...checked.violations.map(
        ({ check, text, connection }) => `history: ${check} ${connection ?? ''}: ${text}`,
      ),
      ...storages.violations.map((text) => `storage: ${text}`),
      ...told.map((text) => `client: ${text}`),
    ];
    const summary = {
      at: startedAt.toISOString(),
      minutes: options.minutes,
      clients: devices.length,
      processes: options.processes,
      pods: options.pods,
      node: process.version,
      faults: nemesis.counts,
      messages: [...final.conversations.values()].reduce((sum, { lastSeq }) => sum + lastSeq, 0),
      sent: storages.sent,
      stored: storages.stored,
      deliveries: checked.counts.deliveries,
      connections: checked.counts.connections,
      connects: connects.tries,
      mostConnectsInASecond: connects.mostInASecond,
      violations: {
        history: checked.violations.length,
        storages: storages.violations.length,
        clients: told.length,
      },
    };
    return { summary, violations };
  } finally {
    await Promise.all(clients.map((client) => client.kill()));
    await nemesis?.stopPods();
    proxy.stop();
    await redis.stop();
    await postgres.stop();
  }
}

async function populate(
  url: string,
  clients: number,
  folder: string,
  history: HistoryWriter,
): Promise<DeviceSettings[]> {
  const users = Array.from({ length: Math.ceil(clients / 2) }, (_, n) => `user-${n}`);
  const calls = new CallRecorder(history, 'parent');
  const http = new HttpClient(url);
  const conversations = new Map<string, string[]>(users.map((user) => [user, []]));
  for (let n = 0; n < Math.ceil(users.length / 2); n++) {
    const members = new Set(Array.from({ length: MEMBERS }, (_, m) => users[(2 * n + m) % users.length]!));
    const [owner] = members;
    const id = randomUUID();
    const token = await mintToken({ sub: owner! });
    expectStatus(await calls.createConversation(http.as(token), owner!, [...members], id), 201);
    for (const member of members) conversations.get(member)!.push(id);
  }
  http.close();
  return users.flatMap((userId) =>
    ['phone', 'laptop'].map((kind) => {
      const name = `${userId}-${kind}`;
      return { name, userId, conversations: conversations.get(userId)!, file: `${folder}/${name}.sanctum` };
    }),
  );
}

/** Waits until every outbox is empty, and every device has everything; or for its bound. */
async function settled(
  clients: readonly ClientProcess[],
  devices: readonly DeviceSettings[],
  postgresUrl: string,
): Promise<void> {
  const until = performance.now() + SETTLE_TIMEOUT_MS;
  for (;;) {
    await sleep(1000);
    const progress = (await Promise.all(clients.map((client) => client.progress()))).flat();
    const final = await readFinalState(postgresUrl, tooLargeAbove(PAYLOAD_MAX_BYTES_DEFAULT));
    const counts = new Map(progress.map((device) => [device.name, new Map(device.counts)]));
    const isDone =
      progress.every(({ waiting }) => waiting === 0) &&
      devices.every(({ name, conversations }) =>
        conversations.every(
          (id) => (counts.get(name)?.get(id) ?? 0) === (final.conversations.get(id)?.lastSeq ?? 0),
        ),
      );
    if (isDone || performance.now() > until) return;
  }
}
