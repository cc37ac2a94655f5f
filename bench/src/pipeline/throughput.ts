import { randomBytes, randomUUID } from 'node:crypto';
import { Api, token } from '../api.ts';
import { LightClient } from '../light-client.ts';
import { cpuSeconds } from '../processes.ts';
import type { BenchPod, Stack } from '../stack.ts';

const CONVERSATIONS = 50;
const IN_FLIGHT = 128;
const CIPHERTEXT_BYTES = 384;

/** Closed loop: as many messages as one pod takes and delivers, with the load generator on the same cores. */
export async function measureThroughput(
  stack: Stack,
  pod: BenchPod,
  options: { members: number; messages: number },
) {
  const { members, messages } = options;
  const api = new Api(pod.httpUrl, IN_FLIGHT);
  const conversations: { id: string; sender: string }[] = [];
  const clients: LightClient[] = [];
  for (let c = 0; c < CONVERSATIONS; c++) {
    const users = Array.from({ length: members }, (_, m) => `throughput-${c}-${m}`);
    const tokens = await Promise.all(users.map(token));
    conversations.push({ id: await api.createConversation(tokens[0]!, users), sender: tokens[0]! });
    for (const each of tokens) clients.push(await LightClient.connect({ url: pod.wsUrl, token: each }));
  }
  const ciphertext = randomBytes(CIPHERTEXT_BYTES).toString('base64');
  const processes = {
    service: pod.pid,
    postgres: stack.postgres.pid,
    redis: stack.redis.pid,
    generator: process.pid,
  };
  const before = Object.entries(processes).map(([name, pid]) => [name, cpuSeconds(pid)] as const);
  const startedAt = performance.now();
  let begun = 0;
  const worker = async () => {
    while (begun < messages) {
      const conversation = conversations[begun++ % CONVERSATIONS]!;
      const status = await api.post(conversation.sender, conversation.id, randomUUID(), ciphertext);
      if (status !== 201) throw new Error(`a message was answered with ${status}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  const acceptedSeconds = (performance.now() - startedAt) / 1000;
  const delivered = () => clients.reduce((sum, client) => sum + client.messages, 0);
  while (delivered() < messages * members) await new Promise((resolve) => setTimeout(resolve, 5));
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = before.map(([name, used]) => {
    const now = cpuSeconds(processes[name as keyof typeof processes]);
    return [name, Math.round(((now - used) * 1e6) / messages)];
  });
  for (const client of clients) client.close();
  api.close();
  return {
    members,
    messages,
    accepted_per_second: Math.round(messages / acceptedSeconds),
    messages_per_second: Math.round(messages / seconds),
    deliveries_per_second: Math.round((messages * members) / seconds),
    cpu_us_per_message: Object.fromEntries(cpu) as Record<string, number>,
  };
}
