import { randomBytes, randomUUID } from 'node:crypto';
import { PAYLOAD_MAX_BYTES_DEFAULT, tooLargeAbove } from '@sanctum/protocol';
import { payloadHash } from '../../history/payload-hash.ts';
import { eventually } from '../../support/eventually.ts';
import type { ChaosWorld } from '../chaos-world.ts';
import { promised, type Promised, proven, type Scenario } from '../scenario.ts';

const ATTEMPTS = 4;
const BURIED_MAX_MS = 30_000;

interface Row {
  readonly status: string;
  readonly attempts: number;
  readonly last_error: string | null;
}

/** Waits until the row is dead, and tells what was written to it. */
async function buried(world: ChaosWorld, messageId: string): Promise<Promised> {
  const read = async () => {
    const [row] = await world.sql<Row>(
      'SELECT status, attempts, last_error FROM messaging.message_outbox WHERE message_id = $1',
      [messageId],
    );
    return row!;
  };
  const {
    status,
    attempts,
    last_error: error,
  } = await eventually(async () => {
    const row = await read();
    if (row.status !== 'dead') throw new Error('not yet');
    return row;
  }, BURIED_MAX_MS).catch(read);
  return promised(`the row is ${status} after ${attempts} attempts: ${error}`, status === 'dead');
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
      const promises = [await buried(world, messageId)];
      const broken = world.pods.reduce((sum, { links }) => sum + links.redis.broken, 0);
      for (const { links } of world.pods) links.redis.heal();
      return { proof: [proven(`it broke ${broken} connections`, broken >= ATTEMPTS)], promises };
    },
  },
  {
    name: 'poison-row-too-large',
    about: "an operator's row in a busy conversation that fits no frame; it is buried at once",
    deadRows: 1,
    fault: async (world) => {
      const { id: conversationId } = world.load.conversations[0]!;
      const messageId = randomUUID();
      const bytes = tooLargeAbove(PAYLOAD_MAX_BYTES_DEFAULT) + 1;
      const payload = { ciphertext: 'A'.repeat(bytes) };
      const post = 'operator-1';
      const hash = payloadHash(payload);
      const [pod, sender] = [undefined, undefined];
      const process = 'chaos';
      world.history.append({ type: 'post', post, process, pod, conversationId, messageId, hash, sender });
      const rows = await world.sql(
        `INSERT INTO messaging.message_outbox (event_id, message_id, event_type, aggregate_id, payload)
         VALUES (gen_random_uuid(), $1, 'MessageCreated', $2, $3) RETURNING seq`,
        [messageId, conversationId, JSON.stringify(payload)],
      );
      world.history.append({ type: 'post_ok', post });
      return {
        proof: [proven(`a row of ${bytes} bytes is in the outbox`, rows.length === 1)],
        promises: [await buried(world, messageId)],
      };
    },
  },
];
