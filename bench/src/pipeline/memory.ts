import { Api, token } from '../api.ts';
import { LightClient } from '../light-client.ts';
import { rssBytes } from '../processes.ts';
import type { Stack } from '../stack.ts';

const CONVERSATIONS_EACH = 10;
const MEMBERS_EACH = 10;
const SETTLE_MS = 10_000;

/** Resident bytes of a pod for each idle connection whose user is in ten conversations of ten members. */
export async function measureMemory(stack: Stack, options: { connections: number }) {
  const { connections } = options;
  const pod = await stack.pod({ CONSUMER_NAME: 'memory' });
  const api = new Api(pod.httpUrl);
  const users = Array.from({ length: connections }, (_, n) => `memory-${n}`);
  const tokens = await Promise.all(users.map(token));
  for (let group = 0; group < connections; group += MEMBERS_EACH) {
    const members = users.slice(group, group + MEMBERS_EACH);
    await Promise.all(
      Array.from({ length: CONVERSATIONS_EACH }, () => api.createConversation(tokens[group]!, members)),
    );
  }
  const first = await LightClient.connect({ url: pod.wsUrl, token: tokens[0]! });
  await settled(pod.pid);
  const before = rssBytes(pod.pid);
  const clients: LightClient[] = [];
  for (const each of tokens) clients.push(await LightClient.connect({ url: pod.wsUrl, token: each }));
  await settled(pod.pid);
  const after = rssBytes(pod.pid);
  for (const client of [first, ...clients]) client.close();
  api.close();
  await pod.stop();
  return {
    connections,
    conversations_each: CONVERSATIONS_EACH,
    rss_before_mb: Math.round(before / 2 ** 20),
    rss_after_mb: Math.round(after / 2 ** 20),
    bytes_per_connection: Math.round((after - before) / connections),
  };
}

/** Garbage of the last step is collected in the idle time that follows it. */
async function settled(pid: number): Promise<void> {
  const until = performance.now() + SETTLE_MS;
  let least = rssBytes(pid);
  while (performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    least = Math.min(least, rssBytes(pid));
  }
}
