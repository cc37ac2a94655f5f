import type { ServersBug } from './bug.ts';

const NEXT_ID = `nextval('messaging.message_outbox_id_seq')`;
const NEXT_SEQ = 'j.last_seq + row_number() OVER (PARTITION BY j.conversation_id ORDER BY j.ord)';
/** Where the common delay stands: before the counters are locked. */
const DELAY = 'PERFORM pg_sleep(random() * 0.02);';

/** Of the SQL that gives messages their places. */
export const SERVER_BUGS: readonly ServersBug[] = [
  {
    name: 'plain-sequence',
    what: 'seq comes from a plain sequence: whatever is not stored burns a number',
    where: 'servers',
    caughtBy: 'log_hole',
    prepare: `
      CREATE SEQUENCE messaging.plain_seq;
      GRANT USAGE ON SEQUENCE messaging.plain_seq TO sanctum_intake`,
    rewrite: (definition) =>
      swap(
        swap(definition, 'i.content_hash,\n', `i.content_hash, nextval('messaging.plain_seq') AS plain,\n`),
        NEXT_SEQ,
        'j.plain',
      ),
  },
  {
    name: 'id-before-lock',
    what: 'id is taken with the input, before the conversation is locked',
    where: 'servers',
    caughtBy: 'stream_order',
    rewrite: (definition) =>
      swap(
        swap(
          swap(definition, NEXT_ID, 'ids[p.ord::integer]'),
          DELAY,
          `ids := ARRAY(SELECT ${NEXT_ID} FROM unnest(messages)); ${DELAY}`,
        ),
        'locked uuid[];',
        'locked uuid[]; ids bigint[];',
      ),
  },
];

/** What the control run has, too: calls overtake each other on their way to the lock. */
export function delayed(definition: string): string {
  return swap(definition, 'BEGIN\n', `BEGIN ${DELAY}\n`);
}

function swap(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`messaging.append_messages does not hold: ${from}`);
  return text.replace(from, () => to);
}
