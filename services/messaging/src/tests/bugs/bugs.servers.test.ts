import { expect, test } from 'vitest';
import { freshDatabase, freshRedis } from '../support/servers.ts';
import { huntOnServers } from './hunt-on-servers.ts';
import { BUGS } from './list.ts';

const onServers = BUGS.flatMap((bug) => (bug.where === 'servers' ? [bug] : []));

test.each(onServers)('$name is seen by $caughtBy', { timeout: 120_000 }, async (bug) => {
  const servers = async () => ({ postgresUrl: await freshDatabase(), redisUrl: await freshRedis() });
  const { caught, controlClean, says } = await huntOnServers(bug, servers);
  expect({ caught, controlClean }, says).toEqual({ caught: true, controlClean: true });
});
