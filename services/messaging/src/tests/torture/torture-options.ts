import { parseArgs } from 'node:util';

export const HELP = `Usage: pnpm torture [--minutes 10] [--clients 200] [--report FILE]

Runs SDK clients in Node processes against pods of the real service, while pods are killed and drained, sockets cut or
left without a word, storages closed and opened again, and client processes killed or frozen, all at random. Every client stores each message in
the transaction of its cursor. Judged in the end: by the history checker, by what the clients stored against the log,
and by when they connected.

  --minutes N     how long it is tortured (10)
  --clients N     devices, two for each user (200)
  --processes N   Node processes that share them (4)
  --pods N        pods of the service (3)
  --rate N        messages a second, of all clients together (20)
  --report FILE   a line of JSON is appended here (docs/evidence/torture.ndjson)
  --keep          keeps the folder with histories and storages
  --help          this text

Exit code: 0 every promise was kept, 1 some was broken, 2 wrong usage.
`;

export interface TortureOptions {
  readonly minutes: number;
  readonly clients: number;
  readonly processes: number;
  readonly pods: number;
  readonly rate: number;
  readonly report: string;
  readonly keep: boolean;
}

/** @returns undefined where the help was asked for. @throws Error for anything that makes no sense */
export function tortureOptions(args: readonly string[]): TortureOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '10' },
      clients: { type: 'string', default: '200' },
      processes: { type: 'string', default: '4' },
      pods: { type: 'string', default: '3' },
      rate: { type: 'string', default: '20' },
      report: { type: 'string', default: 'docs/evidence/torture.ndjson' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const clients = atLeast('--clients', values.clients, 2);
  return {
    minutes: atLeast('--minutes', values.minutes, 0.1),
    clients,
    processes: Math.min(clients, atLeast('--processes', values.processes, 1)),
    pods: atLeast('--pods', values.pods, 1),
    rate: atLeast('--rate', values.rate, 0.1),
    report: values.report,
    keep: values.keep,
  };
}

function atLeast(name: string, text: string, least: number): number {
  const number = Number(text);
  if (text === '' || !(number >= least))
    throw new Error(`${name} must be a number from ${least} on, not ${text}`);
  return number;
}
