import { parseArgs } from 'node:util';
import { PAYLOAD_MAX_BYTES_DEFAULT, tooLargeAbove } from '@sanctum/protocol';
import { CHECK_DEFAULTS, checkHistory, type CheckedHistory } from './check-history.ts';
import { readFinalState } from './read-final-state.ts';
import { readHistory } from './read-history.ts';

const HELP = `Judges the history of a run against the database that it left.

  tsx services/messaging/src/tests/history/main.ts HISTORY.ndjson … [options]

  --postgres-url URL       the run's database (POSTGRES_URL, then DATABASE_URL)
  --payload-max-bytes N    the pods' PAYLOAD_MAX_BYTES (${PAYLOAD_MAX_BYTES_DEFAULT})
  --settle-within-ms N     from the last fault until everybody is at the head (${CHECK_DEFAULTS.settleWithinMs})
  --replay-within-ms N     from an operator's command until its messages came again (${CHECK_DEFAULTS.replayWithinMs})
  --json                   the whole verdict as one JSON object
  --help

Several files are those of several processes of one machine; they are merged by time.
Exit code: 0 clean, 1 a promise was broken or the history has no end, 2 wrong usage or an unreadable history.
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'postgres-url': { type: 'string' },
      'payload-max-bytes': { type: 'string', default: String(PAYLOAD_MAX_BYTES_DEFAULT) },
      'settle-within-ms': { type: 'string', default: String(CHECK_DEFAULTS.settleWithinMs) },
      'replay-within-ms': { type: 'string', default: String(CHECK_DEFAULTS.replayWithinMs) },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const postgresUrl = values['postgres-url'] ?? process.env['POSTGRES_URL'] ?? process.env['DATABASE_URL'];
  if (positionals.length === 0) throw new Error('no history given');
  if (postgresUrl === undefined) throw new Error('--postgres-url is missing');
  const payloadMaxBytes = toNumber('--payload-max-bytes', values['payload-max-bytes']);
  const options = {
    settleWithinMs: toNumber('--settle-within-ms', values['settle-within-ms']),
    replayWithinMs: toNumber('--replay-within-ms', values['replay-within-ms']),
  };
  const final = await readFinalState(postgresUrl, tooLargeAbove(payloadMaxBytes));
  const checked = checkHistory(readHistory(positionals), final, options);
  process.stdout.write(values.json ? `${JSON.stringify(checked)}\n` : inWords(checked));
  return checked.violations.length === 0 && checked.ended ? 0 : 1;
}

function toNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${name} is no whole number: ${text}`);
  return number;
}

function inWords({ violations, counts, ended }: CheckedHistory): string {
  const lines = violations.map(({ check, at, conversationId, connection, text }) => {
    const when = at === undefined ? 'at the end' : `at ${at.toFixed(3)} ms`;
    const where = [conversationId, connection].filter((name) => name !== undefined).join(' ');
    return `${check} ${when} ${where}: ${text}`;
  });
  for (const [check, count] of Object.entries(counts.violations)) lines.push(`${check}: ${count}`);
  if (!ended) lines.push('The history has no end: losses, settling and replays were not judged.');
  const { events, deliveries, posts, conversations, connections, faults } = counts;
  lines.push(
    `${events} events: ${deliveries} deliveries, ${posts} posts, ${conversations} conversations, ` +
      `${connections} connections, ${faults} faults`,
    violations.length === 0 ? 'No violation.' : 'Promises were broken.',
  );
  return `${lines.join('\n')}\n`;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\nTry --help.\n`);
  process.exitCode = 2;
}
