import { randomBytes, randomUUID } from 'node:crypto';
import { Api, token } from '../api.ts';
import { LightClient } from '../light-client.ts';
import { cpuSeconds } from '../processes.ts';
import { percentiles } from '../statistics.ts';
import type { BenchPod, Stack } from '../stack.ts';

const CONVERSATIONS = 20;
const CIPHERTEXT_BYTES = 384;
const MESSAGE_ID = /"message_id":"([^"]{36})"/;
const WARM_UP_SECONDS = 3;

/**
 * Open loop: a message is due every 1/rate seconds, whatever became of the last one, and its latency counts from
 * when it was due until its frame is at each of the members.
 */
export async function measureLatency(
  stack: Stack,
  pod: BenchPod,
  options: { rate: number; members: number; seconds: number },
) {
  const { rate, members, seconds } = options;
  const api = new Api(pod.httpUrl);
  const dueAt = new Map<string, number>();
  const latencies: number[] = [];
  const accepted: number[] = [];
  const conversations: { id: string; sender: string }[] = [];
  const clients: LightClient[] = [];
  let isMeasuring = false;
  let received = 0;
  const onMessage = (frame: Buffer) => {
    const id = MESSAGE_ID.exec(frame.toString('latin1', 0, 200))?.[1];
    const due = id === undefined ? undefined : dueAt.get(id);
    if (due === undefined) return;
    received += 1;
    latencies.push(performance.now() - due);
  };
  for (let c = 0; c < CONVERSATIONS; c++) {
    const users = Array.from({ length: members }, (_, m) => `latency-${c}-${m}`);
    const tokens = await Promise.all(users.map(token));
    conversations.push({ id: await api.createConversation(tokens[0]!, users), sender: tokens[0]! });
    for (const each of tokens)
      clients.push(await LightClient.connect({ url: pod.wsUrl, token: each, onMessage }));
  }

  const ciphertext = randomBytes(CIPHERTEXT_BYTES).toString('base64');
  let refused = 0;
  const send = (n: number, due: number) => {
    const conversation = conversations[n % CONVERSATIONS]!;
    const messageId = randomUUID();
    if (isMeasuring) dueAt.set(messageId, due);
    return api.post(conversation.sender, conversation.id, messageId, ciphertext).then((status) => {
      if (status !== 201) refused += 1;
      if (isMeasuring) accepted.push(performance.now() - due);
    });
  };
  const load = async (duration: number) => {
    const startedAt = performance.now();
    const total = rate * duration;
    const answers: Promise<void>[] = [];
    for (let n = 0; n < total;) {
      const elapsed = performance.now() - startedAt;
      for (; n < total && (n / rate) * 1000 <= elapsed; n++)
        answers.push(send(n, startedAt + (n / rate) * 1000));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(answers);
    return total;
  };

  await load(WARM_UP_SECONDS);
  isMeasuring = true;
  const processes = {
    service: pod.pid,
    postgres: stack.postgres.pid,
    redis: stack.redis.pid,
    generator: process.pid,
  };
  const before = cpuOf(processes);
  const startedAt = performance.now();
  const total = await load(seconds);
  const wanted = total * members;
  while (received < wanted && performance.now() - startedAt < (seconds + 30) * 1000) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const after = cpuOf(processes);
  for (const client of clients) client.close();
  api.close();
  return {
    rate,
    members,
    seconds,
    sent: total,
    refused,
    delivered: received,
    expected: wanted,
    latency_ms: percentiles(latencies),
    accepted_ms: percentiles(accepted),
    cpu_us_per_message: Object.fromEntries(
      Object.keys(processes).map((name) => [
        name,
        Math.round(((after[name]! - before[name]!) * 1e6) / total),
      ]),
    ),
  };
}

function cpuOf(processes: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(processes).map(([name, pid]) => [name, cpuSeconds(pid)]));
}
