import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { Fault } from '../../../errors.ts';
import { eventually } from '../../support/eventually.ts';
import {
  afterXadd,
  channelIs,
  Gate,
  repeatedOnBus,
  stuckAfterPublish,
  swappedOnBus,
} from '../../support/fault-points.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { metricOf, Scene } from '../../support/scene.ts';
import { ownRedis } from '../../support/servers.ts';

let scene: Scene;
afterEach(() => scene.end());

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

describe('what the bus makes of frames', () => {
  test('two frames are swapped: put right without a look at the log', async () => {
    scene = await Scene.begin();
    const id = randomUUID();
    const pod = await scene.pod({ overrides: { publisher: swappedOnBus(channelIs(`c:${id}`)) } });
    await scene.conversation(pod, ['alice', 'bob'], id);
    const bob = await scene.connect(pod, 'bob');
    await scene.post(pod, 'alice', id, 2);
    await bob.untilMessages(id, 2);
    // From here on the feed is open.
    const fills = await metricOf(pod, 'messaging_hub_gap_fills_total');
    await scene.post(pod, 'alice', id, 4);
    await bob.untilMessages(id, 6);
    expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await metricOf(pod, 'messaging_hub_gap_fills_total')).toBe(fills);
  });

  test('every frame comes twice: the feed drops the repeat, the client sees one', async () => {
    scene = await Scene.begin();
    const id = randomUUID();
    const pod = await scene.pod({ overrides: { publisher: repeatedOnBus(channelIs(`c:${id}`)) } });
    await scene.conversation(pod, ['alice', 'bob'], id);
    const bob = await scene.connect(pod, 'bob');
    await scene.post(pod, 'alice', id);
    await bob.untilMessages(id, 1);
    await scene.post(pod, 'alice', id, 3);
    await bob.untilMessages(id, 4);
    await eventually(async () => {
      expect(await metricOf(pod, 'messaging_hub_repeats_total')).toBeGreaterThanOrEqual(3);
    });
    await bob.ping();
    expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });
});

test('the bus connection is lost while messages flow: all of them come, in order', async () => {
  const { url } = await ownRedis();
  scene = await Scene.begin({ redisUrl: url });
  const log = new RecordedLog();
  const pod = await scene.pod({ log });
  const id = await scene.conversation(pod, ['alice', 'bob']);
  const bob = await scene.connect(pod, 'bob');
  await scene.post(pod, 'alice', id, 20);
  const losses = 3;
  for (let loss = 1; loss <= losses; loss++) {
    const posting = scene.post(pod, 'alice', id, 40);
    await scene.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await posting;
    await eventually(() => {
      const made = log
        .named('redis_connected')
        .filter(({ fields }) => fields?.['connection'] === 'subscriber');
      expect(made).toHaveLength(1 + loss);
    });
  }
  const last = 20 + 40 * losses;
  await bob.untilMessages(id, last);
  expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual(upTo(last));
  expect(bob.received.gaps).toEqual([]);
});

test('a consumer dies between publish and XACK: another takes over, and no client hands on twice', async () => {
  scene = await Scene.begin();
  const [id, death] = [randomUUID(), new Gate()];
  const env = { CONSUMER_CLAIM_IDLE_MS: '300' };
  const dying = await scene.pod({
    env,
    overrides: { publisher: stuckAfterPublish(death, channelIs(`c:${id}`)) },
  });
  await scene.conversation(dying, ['alice', 'bob'], id);
  const bob = await scene.connect(dying, 'bob');
  await scene.post(dying, 'alice', id, 3);
  await death.reached();
  await eventually(async () => expect(await scene.onStream(id)).toHaveLength(3));
  expect(await scene.unacknowledged()).toBeGreaterThan(0);

  const heir = await scene.pod({ env });
  await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
  await bob.untilMessages(id, 3);
  expect(await metricOf(heir, 'messaging_consumer_pel_reclaimed_total')).toBeGreaterThan(0);
  await eventually(async () =>
    expect(await metricOf(dying, 'messaging_hub_repeats_total')).toBeGreaterThan(0),
  );
  expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  death.open();
});

test('a dispatcher dies between XADD and its mark: the batch goes again, and no client hands on twice', async () => {
  scene = await Scene.begin();
  const deaths: string[][] = [];
  const pod = await scene.pod({
    overrides: {
      dispatchLog: afterXadd((rows) => {
        if (deaths.length >= 2) return Promise.resolve();
        deaths.push(rows.map((row) => row.message?.messageId ?? ''));
        return Promise.reject(new Fault('unavailable', 'the dispatcher is dead'));
      }),
    },
  });
  const id = await scene.conversation(pod, ['alice', 'bob']);
  const bob = await scene.connect(pod, 'bob');
  await scene.post(pod, 'alice', id, 3);
  await bob.untilMessages(id, 3);
  await eventually(async () => {
    const rows = await scene.sql(
      'SELECT status, attempts FROM messaging.message_outbox WHERE aggregate_id = $1',
      [id],
    );
    expect(rows).toEqual(Array.from({ length: 3 }, () => ({ status: 'sent', attempts: 0 })));
  });
  const onStream = (await scene.onStream(id)).map((entry) => entry['message_id']);
  const repeated = deaths.flat().filter((messageId) => onStream.includes(messageId));
  expect(repeated.length).toBeGreaterThan(0);
  expect(onStream).toHaveLength(3 + repeated.length);
  await eventually(async () => expect(await scene.unacknowledged()).toBe(0));
  await bob.ping();
  expect(bob.received.messagesOf(id).map(({ seq }) => seq)).toEqual([1, 2, 3]);
});
