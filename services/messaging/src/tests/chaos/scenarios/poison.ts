import { randomBytes, randomUUID } from 'node:crypto';
import { PAYLOAD_MAX_BYTES_DEFAULT, tooLargeAbove } from '@sanctum/protocol';
import { payloadHash } from '../../history/payload-hash.ts';
import { eventually } from '../../support/eventually.ts';
import type { ChaosWorld } from '../chaos-world.ts';
import { proven, type Scenario } from '../scenario.ts';

const ATTEMPTS = 4;
const BURIED_MAX_MS = 30_000;

interface Row {
  readonly status: string;
  readonly attempts: number;
  readonly last_error: string | null;
}

/** Waits until the row is dead; what was written to it, and that its successors were sent all the same. */
async function buried(world: ChaosWorld, messageId: string): Promise<string[]> {
  const row = await eventually(async () => {
    const [found] = await world.sql<Row>(
      'SELECT status, attempts, last_error FROM messaging.message_outbox WHERE message_id = $1',
      [messageId],
    );
    if (found?.status !== 'dead') throw new Error(`the row is ${found?.status}`);
    return found;
  }, BURIED_MAX_MS);
  const { status, attempts, last_error: error } = row;
  return [proven(`the row is ${status} after ${attempts} attempts: ${error}`, status === 'dead')];
}

export const POISON_SCENARIOS: readonly Scenario[] = [
  {
    name: 'poison-row-breaks-connection',
    about: 'a message in a busy conversation whose bytes break every connection to Redis; it is buried',
    deadRows: 1,
    env: { DISPATCH_MAX_ATTEMPTS: String(ATTEMPTS) },
    fault: async (world) => {
      const ciphertext = randomBytes(48).toString('base64');
      for (const { links } of world.pods) links.redis.breakOn('up', Buffer.from(ciphertext));
      const messageId = await world.load.publisher({ conversation: 0 }).post(ciphertext);
      const proof = await buried(world, messageId);
      const broken = world.pods.reduce((sum, { links }) => sum + links.redis.broken, 0);
      for (const { links } of world.pods) links.redis.heal();
      return { proof: [proven(`it broke ${broken} connections`, broken >= ATTEMPTS), ...proof] };
    },
  },
  {
    name: 'poison-row-too-large',
    about: "an operator's row in a busy conversation that fits no frame; it is buried at once",
    deadRows: 1,
    fault: async (world) => {
      const { id: conversationId } = world.load.conversations[0]!;
      const messageId = randomUUID();
      const payload = { ciphertext: 'A'.repeat(tooLargeAbove(PAYLOAD_MAX_BYTES_DEFAULT) + 1) };
      const post = 'operator-1';
      const hash = payloadHash(payload);
      const [pod, sender] = [undefined, undefined];
      const process = 'chaos';
      world.history.append({ type: 'post', post, process, pod, conversationId, messageId, hash, sender });
      await world.sql(
        `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
         VALUES (gen_random_uuid(), $1, 'MessageCreated', $2, $3)`,
        [messageId, conversationId, JSON.stringify(payload)],
      );
      world.history.append({ type: 'post_ok', post });
      return { proof: await buried(world, messageId) };
    },
  },
];
