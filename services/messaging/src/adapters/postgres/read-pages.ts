import type { LogPage, LogRow, PageRequest, ReplayPage, ReplayRequest } from '../../ports.ts';
import { MESSAGE_COLUMNS, toMessage, type MessageRow } from './message-row.ts';
import type { PostgresPool, Statement } from './pool.ts';

/**
 * Pages of several conversations, each with its head and floor: one statement, so one snapshot.
 *
 * Index: message_outbox_place (aggregate_id, seq), merged over the partitions, since partition order is not seq
 * order at midnight; it stops at the limit and never sorts a conversation. One row more than wanted is looked at,
 * to know whether the page is complete. A payload is fetched only where it is delivered: large ones are stored
 * apart, and size_bytes does the sums.
 */
const pagesStatement = (name: string, condition: string) => ({
  name,
  text: `
    SELECT r.ord, e.epoch, c.last_seq AS head, c.floor_seq AS floor, c.members_version AS version, p.*
    FROM unnest($1::uuid[], $2::bigint[], $3::integer[], $4::bigint[]) WITH ORDINALITY
      AS r (id, after, wanted, max_bytes, ord)
    CROSS JOIN messaging.log_epoch e
    CROSS JOIN LATERAL (
      SELECT x.* FROM messaging.conversation x WHERE x.conversation_id = r.id OFFSET 0) c
    LEFT JOIN LATERAL (
      SELECT o.*, CASE o.state WHEN 'ready' THEN o.payload::text END AS body
      FROM (
        SELECT s.*, row_number() OVER upwards AS place, sum(s.bytes) OVER upwards AS bytes_so_far,
          count(*) OVER () AS found
        FROM (
          SELECT ${MESSAGE_COLUMNS}, o.payload, g.state,
            CASE g.state WHEN 'ready' THEN o.size_bytes ELSE 0 END AS bytes
          FROM messaging.message_outbox o
          CROSS JOIN LATERAL (SELECT CASE
            WHEN o.status = 'dead' OR o.size_bytes > $5 THEN 'dead'
            WHEN o.status = 'pending' AND o.attempts > 0 THEN 'retrying'
            ELSE 'ready' END AS state) g
          WHERE o.aggregate_id = r.id AND o.seq > greatest(r.after, c.floor_seq) ${condition}
          ORDER BY o.seq LIMIT r.wanted + 1) s
        WINDOW upwards AS (ORDER BY s.seq ROWS UNBOUNDED PRECEDING)) o
      WHERE o.place <= r.wanted AND (o.place = 1 OR o.bytes_so_far <= r.max_bytes)) p ON true`,
});

/**
 * Nearly every page lies within a day of now, and a month of partitions is costly to merge: 200 conversations
 * took 16 ms over 30 partitions and 3.3 ms over the newest. now() is stable, so the others are not even opened.
 */
const READ_RECENT_PAGES = pagesStatement(
  'read-recent-pages',
  `AND o.occurred_at >= now() - interval '1 day'`,
);
const READ_PAGES = pagesStatement('read-pages', '');

interface PageRow extends MessageRow {
  ord: number;
  epoch: number;
  head: number;
  floor: number;
  version: number;
  state: LogRow['state'];
  found: number;
  body: string;
}

export async function readPages(
  pool: PostgresPool,
  requests: readonly PageRequest[],
  payloadLimitBytes: number,
): Promise<(LogPage | undefined)[]> {
  const pages = await runPages(pool, READ_RECENT_PAGES, requests, payloadLimitBytes);
  // Contiguity proves that nothing older belongs on the page. Where it does not, all partitions are asked.
  const doubtful = [...pages.keys()].filter((index) => !isContiguous(pages[index], requests[index]!.after));
  const asked = doubtful.map((index) => requests[index]!);
  const whole = await runPages(pool, READ_PAGES, asked, payloadLimitBytes);
  for (const [place, index] of doubtful.entries()) pages[index] = whole[place];
  return pages;
}

async function runPages(
  pool: PostgresPool,
  statement: Statement,
  requests: readonly PageRequest[],
  payloadLimitBytes: number,
): Promise<(LogPage | undefined)[]> {
  if (requests.length === 0) return [];
  const rows = await pool.query<PageRow>(statement, [
    requests.map((request) => request.conversationId),
    requests.map((request) => request.after),
    requests.map((request) => request.limit),
    requests.map((request) => request.maxBytes),
    payloadLimitBytes,
  ]);
  const groups = groupByOrdinal(rows, requests.length);
  return groups.map((group) => (group.length === 0 ? undefined : toPage(group)));
}

/** Each seq from the cursor on follows the one before, up to where the page was cut or up to the head. */
function isContiguous(page: LogPage | undefined, after: number): boolean {
  if (page === undefined) return true;
  const start = Math.max(after, page.floor);
  if (page.rows.some((row, index) => row.seq !== start + 1 + index)) return false;
  return !page.complete || start + page.rows.length >= page.head;
}

function toPage(group: PageRow[]): LogPage {
  const { epoch, head, floor, version: membersVersion, seq, found } = group[0]!;
  // A conversation without rows behind the cursor comes as one row of NULLs.
  const all = seq === null ? [] : group.map(toLogRow);
  // Nothing behind a row that is being retried goes out before it.
  const retrying = all.findIndex((row) => row.state === 'retrying');
  const rows = retrying === -1 ? all : all.slice(0, retrying + 1);
  return { epoch, head, floor, membersVersion, rows, complete: rows.length === (found ?? 0) };
}

function toLogRow(row: PageRow): LogRow {
  return row.state === 'ready'
    ? { state: 'ready', seq: row.seq, message: toMessage(row, row.body) }
    : { state: row.state, seq: row.seq };
}

/**
 * Rows of a window that an operator has had sent again.
 *
 * Index: message_outbox_replayed (aggregate_id, seq) WHERE replay_no > 0, so that two rows in a window of 100,000
 * cost two rows. The floor does not matter here: a dead row that outlived its day goes out once it is requeued.
 */
const READ_REPLAYS = {
  name: 'read-replays',
  text: `
    SELECT r.ord, p.*
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::integer[], $5::bigint[]) WITH ORDINALITY
      AS r (id, first, last, wanted, max_bytes, ord)
    CROSS JOIN LATERAL (
      SELECT o.*, o.payload::text AS body
      FROM (
        SELECT s.*, row_number() OVER upwards AS place, sum(s.size_bytes) OVER upwards AS bytes_so_far,
          count(*) OVER () AS found
        FROM (
          SELECT ${MESSAGE_COLUMNS}, o.payload, o.size_bytes
          FROM messaging.message_outbox o
          WHERE o.aggregate_id = r.id AND o.seq BETWEEN r.first AND r.last AND o.replay_no > 0
            AND (o.status = 'sent' OR (o.status = 'pending' AND o.attempts = 0)) AND o.size_bytes <= $6
          ORDER BY o.seq LIMIT r.wanted + 1) s
        WINDOW upwards AS (ORDER BY s.seq ROWS UNBOUNDED PRECEDING)) o
      WHERE o.place <= r.wanted AND (o.place = 1 OR o.bytes_so_far <= r.max_bytes)) p`,
};

interface ReplayRow extends MessageRow {
  ord: number;
  found: number;
  body: string;
}

export async function readReplays(
  pool: PostgresPool,
  requests: readonly ReplayRequest[],
  payloadLimitBytes: number,
): Promise<ReplayPage[]> {
  if (requests.length === 0) return [];
  const rows = await pool.query<ReplayRow>(READ_REPLAYS, [
    requests.map((request) => request.conversationId),
    requests.map((request) => request.from),
    requests.map((request) => request.to),
    requests.map((request) => request.limit),
    requests.map((request) => request.maxBytes),
    payloadLimitBytes,
  ]);
  return groupByOrdinal(rows, requests.length).map((group) => ({
    messages: group.map((row) => toMessage(row, row.body)),
    complete: group.length === (group[0]?.found ?? 0),
  }));
}

/** The rows of each request, ascending by seq; sorting the few rows here spares the server sorting payloads. */
function groupByOrdinal<R extends { ord: number; seq: number }>(rows: readonly R[], count: number): R[][] {
  const groups = Array.from({ length: count }, (): R[] => []);
  for (const row of rows) groups[row.ord - 1]!.push(row);
  for (const group of groups) group.sort((a, b) => a.seq - b.seq);
  return groups;
}
