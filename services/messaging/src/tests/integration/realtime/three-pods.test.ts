import { PAYLOAD_MAX_BYTES_DEFAULT, tooLargeAbove } from '@sanctum/protocol';
import { Redis } from 'ioredis';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { checkHistory } from '../../history/check-history.ts';
import { HistoryWriter } from '../../history/history-writer.ts';
import { readFinalState } from '../../history/read-final-state.ts';
import { readHistory } from '../../history/read-history.ts';
import { eventually } from '../../support/eventually.ts';
import { Fleet } from '../../support/fleet.ts';
import { type PodProcess, spawnPod } from '../../support/pod.ts';
import { sumOf } from '../../support/scrape.ts';
import { freshDatabase, freshRedis } from '../../support/servers.ts';

const CONVERSATIONS = 50;
const MEMBERS = 4;
const MESSAGES = 20_000;
const SETTLE_MS = 60_000;

let pods: PodProcess[] = [];
let folder = '';
let history: HistoryWriter | undefined;
afterEach(async () => {
  const running = pods.filter(({ process }) => process.exitCode === null && process.signalCode === null);
  await Promise.all(running.map((pod) => pod.kill('SIGKILL')));
  pods = [];
  history?.close();
  history = undefined;
  if (folder !== '') await rm(folder, { recursive: true, force: true });
});

/** Two dispatchers, three consumers, one database, one Redis. */
async function startFleet() {
  const servers = { postgresUrl: await freshDatabase(), redisUrl: await freshRedis() };
  pods = await Promise.all(
    ['true', 'true', 'false'].map((dispatcher, n) =>
      spawnPod({ ...servers, env: { DISPATCHER_ENABLED: dispatcher, CONSUMER_NAME: `consumer-${n + 1}` } }),
    ),
  );
  folder = await mkdtemp(path.join(tmpdir(), 'sanctum-fleet-'));
  const historyFile = path.join(folder, 'history.ndjson');
  const written = (history = new HistoryWriter(historyFile, { process: 'fleet' }));
  const fleet = new Fleet(pods, written);
  await fleet.populate(CONVERSATIONS, MEMBERS);
  /** The verdict on all that was posted and received, against the log. */
  const judge = async () => {
    written.append({ type: 'end' });
    written.flush();
    const final = await readFinalState(servers.postgresUrl, tooLargeAbove(PAYLOAD_MAX_BYTES_DEFAULT));
    return checkHistory(readHistory([historyFile]), final);
  };
  return { fleet, judge, ...servers };
}

describe('three pods, 200 members over 50 conversations, 20,000 messages', () => {
  test(
    'every member gets every message in order, and the counters of all stages agree',
    { timeout: 120_000 },
    async () => {
      const { fleet, judge } = await startFleet();
      await fleet.post({ total: MESSAGES, inFlight: 192, hotShare: 0.25 });
      await fleet.settle(SETTLE_MS);
      const { violations, counts, ended } = await judge();
      expect({ violations, ended }).toEqual({ violations: [], ended: true });
      expect(counts.deliveries).toBe(fleet.framesReceived());
      expect(fleet.faults()).toEqual([]);
      expect(fleet.posted.length).toBe(MESSAGES);

      const urls = pods.map((pod) => pod.httpUrl);
      expect(await sumOf(urls, 'transport_messages_sent_total')).toBe(fleet.framesReceived());
      // Synthetic messages are on their way at any moment: the figures agree when none is.
      await eventually(async () => {
        const picked = await sumOf(urls, 'messaging_outbox_picked_total');
        expect(picked).toBeGreaterThanOrEqual(MESSAGES);
        for (const name of [
          'outbox_sent',
          'dispatch_published',
          'consumer_fetch',
          'consumer_delivered',
          'consumer_ack',
        ]) {
          expect([name, await sumOf(urls, `messaging_${name}_total`)]).toEqual([name, picked]);
        }
      });
      for (const name of [
        'messaging_outbox_failed_total',
        'messaging_outbox_dead_total',
        'messaging_consumer_failures_total',
      ]) {
        expect([name, await sumOf(urls, name)]).toEqual([name, 0]);
      }
      await fleet.close();
    },
  );

  test(
    'one pod is killed half way: its clients go on elsewhere, nothing is lost',
    { timeout: 120_000 },
    async () => {
      const { fleet, judge, postgresUrl, redisUrl } = await startFleet();
      let killing: Promise<void> | undefined;
      await fleet.post({
        total: MESSAGES,
        inFlight: 192,
        hotShare: 0.25,
        onProgress: (count) => {
          if (count >= MESSAGES / 2) killing ??= fleet.kill(1);
        },
      });
      await killing;
      await fleet.settle(SETTLE_MS);
      const { violations, counts, ended } = await judge();
      expect({ violations, ended }).toEqual({ violations: [], ended: true });
      expect(counts.deliveries).toBe(fleet.framesReceived());
      expect(fleet.faults()).toEqual([]);
      expect(fleet.posted.length).toBe(MESSAGES);

      const database = new pg.Client(postgresUrl);
      await database.connect();
      const redis = new Redis(redisUrl);
      await eventually(async () => {
        const { rows } = await database.query(
          `SELECT count(*)::int AS open FROM messaging.message_outbox WHERE status <> 'sent' AND event_type <> 'SyntheticProbe'`,
        );
        expect(rows).toEqual([{ open: 0 }]);
        expect((await redis.xpending('sanctum:messages', 'messaging-hub'))[0]).toBe(0);
      }, 20_000);
      await database.end();
      redis.disconnect();
      await fleet.close();
    },
  );
});
