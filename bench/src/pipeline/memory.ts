import { Api, token } from '../api.ts';
import { LightClient } from '../light-client.ts';
import { rssBytes } from '../processes.ts';
import type { Stack } from '../stack.ts';

const CONVERSATIONS_EACH = 10;
const MEMBERS_EACH = 10;
const SETTLE_MS = 10_000;

/**
 * Resident bytes of a pod for each idle connection whose user is in ten conversations of ten members: the growth
 * of a fresh pod, divided by their number. What the process itself needs to work at all is in it.
 */
export async function measureMemory(stack: Stack, options: { connections: number }) {
  const { connections } = options;
  const users = Array.from({ length: connections }, (_, n) => `memory-${n}`);
  const tokens = await Promise.all(users.map(token));
  // Another pod makes the conversations: its garbage is not the measured one's.
  const maker = await stack.pod({ CONSUMER_NAME: 'memory-maker' });
  const api = new Api(maker.httpUrl);
  for (let group = 0; group < connections; group += MEMBERS_EACH) {
    const members = users.slice(group, group + MEMBERS_EACH);
    await Promise.all(
      Array.from({ length: CONVERSATIONS_EACH }, () => api.createConversation(tokens[group]!, members)),
    );
  }
  api.close();
  await maker.stop();

  const pod = await stack.pod({ CONSUMER_NAME: 'memory' });
  const clients: LightClient[] = [];
  const rss = [await settled(pod.pid)];
  for (const half of [tokens.slice(0, connections / 2), tokens.slice(connections / 2)]) {
    for (const each of half) clients.push(await LightClient.connect({ url: pod.wsUrl, token: each }));
    rss.push(await settled(pod.pid));
  }
  for (const client of clients) client.close();
  await pod.stop();
  const [none, half, all] = rss as [number, number, number];
  return {
    connections,
    conversations_each: CONVERSATIONS_EACH,
    rss_mb: { none: megabytes(none), half: megabytes(half), all: megabytes(all) },
    bytes_per_connection: Math.round((all - none) / connections),
  };
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

/** The least resident size in the idle time after a step, in which the garbage of the step is collected. */
async function settled(pid: number): Promise<number> {
  const until = performance.now() + SETTLE_MS;
  let least = rssBytes(pid);
  while (performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    least = Math.min(least, rssBytes(pid));
  }
  return least;
}
