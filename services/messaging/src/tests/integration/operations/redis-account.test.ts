import { workspaceDir } from '@sanctum/local-servers';
import { Redis } from 'ioredis';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { StreamInspector } from '../../../adapters/redis/stream-inspector.ts';
import { silentLog } from '../../../log.ts';
import { eventually } from '../../support/eventually.ts';
import { metricOf, Scene, STREAM } from '../../support/scene.ts';
import { ownRedis } from '../../support/servers.ts';
import { type } from '../runbook/on-call.ts';

const GROUP = 'messaging-hub';

/** docs/operations.md, Access. */
async function accountLine(): Promise<string> {
  const page = await readFile(path.join(workspaceDir, 'docs/operations.md'), 'utf8');
  return /^ *(redis-cli ACL SETUSER .+)$/m.exec(page)![1]!.replace('<password>', 'of-a-test');
}

test('the account of the docs may do all that the service and its operators do', async () => {
  const redis = await ownRedis();
  await type(await accountLine(), { redisUrl: redis.url });
  const url = new URL(redis.url);
  [url.username, url.password] = ['messaging', 'of-a-test'];

  const scene = await Scene.begin({ redisUrl: url.href });
  onTestFinished(() => scene.end());
  // One looks for what others left behind all the time.
  const pods = [await scene.pod({ env: { CONSUMER_CLAIM_IDLE_MS: '200' } }), await scene.pod()];
  const id = await scene.conversation(pods[0]!, ['alice', 'bob']);
  const bob = await scene.connect(pods[1]!, 'bob');
  await scene.post(pods[0]!, 'alice', id, 3);
  await bob.untilMessages(id, 3);
  for (const pod of pods)
    await eventually(async () => expect(await metricOf(pod, 'messaging_path_ok')).toBe(1));

  const inspector = new StreamInspector({
    url: url.href,
    stream: STREAM,
    partitions: 1,
    maxLength: 1_000,
    group: GROUP,
    log: silentLog,
  });
  onTestFinished(() => inspector.close());
  inspector.start();
  await inspector.whenReady(5_000);
  expect(await inspector.state()).toMatchObject({ refuses: undefined });
  expect((await inspector.groups(() => true)).streams).toHaveLength(1);
  expect(await inspector.server()).toMatchObject({ policy: 'noeviction' });

  const admin = new Redis(redis.url);
  onTestFinished(() => admin.disconnect());
  expect(await admin.acl('LOG')).toEqual([]);
});
