import { bounds } from '../../services/messaging/src/bounds.ts';
import { variables, type VariableName } from '../../services/messaging/src/config-variables.ts';
import { createMetrics } from '../../services/messaging/src/metrics.ts';
import * as protocol from '../../packages/protocol/src/index.ts';
import { adminRouteList } from '../../services/messaging/src/adapters/http/admin/admin-operations.ts';
import { type AdminSchemaName, adminSchemas } from '../../packages/protocol/src/admin.ts';
import { clientReference } from './client-reference.ts';
import { guaranteeRegions } from './guarantees.ts';
import { dependencyTable, transitiveTable } from './runtime-dependencies.ts';
import { constantIn, postgresPools } from './source-facts.ts';
import { number, table } from './tables.ts';
import { meanings } from './variable-meanings.ts';

/** The generated parts of the documents, by name. */
export const regions: Readonly<Record<string, () => string | Promise<string>>> = {
  'close-codes': closeCodes,
  'error-codes': errorCodes,
  'protocol-limits': protocolLimits,
  'admin-calls': adminCalls,
  variables: variableTable,
  metrics: metricTable,
  'postgres-pools': poolTable,
  bounds: boundTable,
  'client-reference': clientReference,
  dependencies: dependencyTable,
  'transitive-dependencies': transitiveTable,
  ...guaranteeRegions,
};

const REALTIME = 'services/messaging/src/realtime';
const POSTGRES = 'services/messaging/src/adapters/postgres';
const REDIS = 'services/messaging/src/adapters/redis';
const DISPATCHER = 'services/messaging/src/dispatcher';

const HTTP_RATE_LIMITED = 'HTTP 429 `rate_limited`, with a hint';

const CLIENT_ACTIONS: Record<protocol.CloseAction, string> = {
  retry: 'reconnects',
  refresh_token: 'gets a new token, then reconnects',
  stop_login: 'stops until the user logs in anew',
  stop_bug: 'stops and reports a bug',
};

function closeCodes(): string {
  const rows = Object.entries<protocol.CloseCode>(protocol.CLOSE_CODES).map(
    ([code, { name, action, retryFloorMs }]) => {
      const floor = retryFloorMs === undefined ? '' : `, after ${number(retryFloorMs)} ms at the least`;
      return [
        `\`${code}\``,
        `\`${name}\``,
        protocol.closeMeaning(Number(code)),
        `${CLIENT_ACTIONS[action]}${floor}`,
      ];
    },
  );
  return table(['Code', 'Name', 'Meaning', 'The client'], rows);
}

function errorCodes(): string {
  const rows = protocol.ERROR_CODES.map((code) => [
    `\`${code}\``,
    String(protocol.ERRORS[code].status),
    protocol.ERRORS[code].title,
  ]);
  return table(['Code', 'HTTP status', 'Meaning'], rows);
}

function adminCalls(): string {
  const rows = adminRouteList.map(({ method, path, query, body, summary, answers }) => {
    const named = [query, body?.schema].map((name) => (name === undefined ? [] : fieldsOf(name)));
    const parameters = named[0]!.length === 0 ? '' : `?${named[0]!.map((name) => `${name}=`).join('&')}`;
    const fields = named[1]!.length === 0 ? '' : ` \`{${named[1]!.join(', ')}}\``;
    const statuses = answers.map(({ status }) => status).join(', ');
    return [`\`${method} ${path}${parameters}\`${fields}`, statuses, summary];
  });
  return table(['Call', 'Status', 'Answers'], rows);
}

/** As the schema has them; `?` behind what may be left out of a body. */
function fieldsOf(name: AdminSchemaName): string[] {
  const schema = adminSchemas[name];
  const isQuery = name.endsWith('Query');
  return Object.entries('shape' in schema ? schema.shape : {}).map(([field, { safeParse }]) =>
    isQuery || !safeParse(undefined).success ? field : `${field}?`,
  );
}

function protocolLimits(): string {
  const bytes = (value: number) => `${number(value)} bytes`;
  const ms = (value: number) => `${number(value)} ms`;
  const rate = (name: string) => number(constantIn(REALTIME, name));
  const requests = (limit: { burst: number; perSecond: number }) =>
    `${number(limit.burst)} at once, ${number(limit.perSecond)} a second`;
  return table(
    ['Bound', 'Value', 'Beyond it'],
    [
      ['Frame of a client', bytes(protocol.CLIENT_FRAME_MAX_BYTES), 'closed with 1009'],
      [
        'Frame of the server',
        `4·⌈\`payload_max_bytes\`/3⌉ + ${number(protocol.serverFrameMaxBytes(0))} bytes`,
        'never sent; a larger row is announced as a `gap` (`dead_letter`)',
      ],
      ['Frame that a client must accept', bytes(protocol.CLIENT_ACCEPTS_FRAME_BYTES), ''],
      ['From the upgrade to `hello`', ms(protocol.HELLO_TIMEOUT_MS), 'closed with 4408'],
      ['From `hello` to the last `cursors`', ms(protocol.CURSORS_TIMEOUT_MS), 'closed with 4408'],
      ['From the last of these to `ready`', ms(constantIn(REALTIME, 'OPENING_MAX_MS')), 'closed with 1013'],
      ['Cursors in `hello`', number(protocol.HELLO_CURSORS_MAX), 'closed with 4500'],
      ['Cursors in a `cursors` frame', number(protocol.CURSORS_FRAME_MAX), 'closed with 4500'],
      ['Cursors of a connection', number(constantIn(REALTIME, 'CURSORS_MAX')), 'closed with 4500'],
      ['Feature names in `hello`', number(protocol.FEATURES_MAX), 'closed with 4500'],
      ['Characters of a feature name', number(protocol.FEATURE_NAME_MAX_LENGTH), 'closed with 4500'],
      ['Characters of an `id`', number(protocol.REQUEST_ID_MAX_LENGTH), 'closed with 4500'],
      ['Conversations in `subscribe` or `unsubscribe`', number(protocol.SUBSCRIBE_MAX), 'closed with 4500'],
      [
        'Conversations that a connection follows',
        number(constantIn(REALTIME, 'POSITIONS_MAX')),
        '`too_many_conversations` for that conversation',
      ],
      [
        'Requests waiting for their answers',
        number(constantIn(REALTIME, 'REQUESTS_WAITING_MAX')),
        'closed with 4429',
      ],
      [
        'Frames of a client, without acks that advance',
        `${rate('BURST')} at once, ${rate('PER_SECOND')} a second`,
        'closed with 4429',
      ],
      [
        'Credit',
        `${protocol.CREDIT_MIN}–${number(protocol.CREDIT_MAX)}, ${protocol.CREDIT_DEFAULT} unless asked`,
        'closed with 4500',
      ],
      ['Credit used up and no `ack`', ms(protocol.ACK_TIMEOUT_MS), 'closed with 4412'],
      [
        'Neither write progress of the socket nor an ack',
        ms(protocol.WRITE_STALL_TIMEOUT_MS),
        'closed with 4412',
      ],
      [
        'Unsent bytes of a socket',
        bytes(protocol.SOCKET_BUFFER_MAX_BYTES),
        'nothing more is written until there is room',
      ],
      [
        'Frames of one conversation in a turn',
        number(protocol.CONVERSATION_TURN_FRAMES),
        'the next conversation has its turn',
      ],
      [
        'Silence of a client',
        `${constantIn(REALTIME, 'SILENT_HEARTBEATS')} heartbeats, pongs included`,
        'the connection is cut (1006)',
      ],
      ['Silence of the server', `${protocol.HEARTBEAT_PATIENCE} heartbeats`, 'the client reconnects'],
      [
        'Connections of one user on a pod',
        number(constantIn(REALTIME, 'USER_CONNECTIONS_MAX')),
        'closed with 4430',
      ],
      ['Messages that one user posts on a pod', requests(bounds.http.userPosts), HTTP_RATE_LIMITED],
      ['Other calls under `/v1` of one user on a pod', requests(bounds.http.userCalls), HTTP_RATE_LIMITED],
    ],
  );
}

function variableTable(): string {
  const names = Object.keys(variables) as VariableName[];
  const rows = names.map((name) => {
    const { schema, allowed } = variables[name];
    const { data } = schema.safeParse(undefined);
    const whenUnset = data === undefined ? '—' : `\`${String(data)}\``;
    return [
      `\`${name}\``,
      whenUnset,
      allowed.replace(/ ?\(default[^)]*(?:\([^)]*\))?\)/, ''),
      meanings[name],
    ];
  });
  return table(['Variable', 'Default', 'Allowed', 'Meaning'], rows);
}

async function metricTable(): Promise<string> {
  const { registry } = createMetrics({ dispatcher: true, consumer: true });
  const withoutStages = createMetrics({ dispatcher: false, consumer: false }).registry;
  const withDispatcher = createMetrics({ dispatcher: true, consumer: false }).registry;
  const rows = (await registry.getMetricsAsJSON()).map((metric) => {
    const { name, type, help } = metric;
    const on =
      withoutStages.getSingleMetric(name) !== undefined
        ? 'every pod'
        : withDispatcher.getSingleMetric(name) !== undefined
          ? '`DISPATCHER_ENABLED`'
          : '`CONSUMER_ENABLED`';
    return [`\`${name}${labelsOf(metric)}\``, String(type), help, on];
  });
  return table(['Metric', 'Type', 'Counts', 'Exported on'], rows);
}

/** The labels with the values that exist from the start; the codes have tables of their own. */
function labelsOf({ name, values }: { name: string; values: readonly { labels: object }[] }): string {
  const labels = new Map<string, Set<string>>();
  for (const value of values) {
    for (const [label, text] of Object.entries(value.labels)) {
      if (label !== 'le') labels.set(label, (labels.get(label) ?? new Set()).add(String(text)));
    }
  }
  if (name === 'messaging_http_requests_total') return '{route,method,status}';
  if (labels.size === 0) return '';
  const texts = Array.from(labels, ([label, known]) =>
    known.size > 8 ? label : `${label}="${[...known].join('\\|')}"`,
  );
  return `{${texts.join(',')}}`.replaceAll('\\|', '|');
}

const POOLS: Readonly<Record<string, string>> = {
  'sanctum-intake': 'group commits, and conversations that are waited for',
  'sanctum-reader': 'the hub, history, conversations and members',
  'sanctum-changes':
    'conversations made and members changed, which may wait for a conversation that is locked',
  'sanctum-dispatcher': 'one for each round under way, a look at what is pending, and one to spare',
  'sanctum-admin': 'what operators see and do, the figures that pods give of themselves',
  'sanctum-controls': 'pauses, revocations and readiness, which no slow question may hold up',
  'sanctum-operations': 'partitions, synthetic messages, malformed stream entries',
  'sanctum-prune': 'one for each of the two prunes, on the pod that does it',
};

function poolTable(): string {
  const { groupsInFlightMax, sideLanesMax } = bounds.intake;
  const sizes: Readonly<Record<string, number>> = {
    'groupsInFlightMax + sideLanesMax': groupsInFlightMax + sideLanesMax,
    'DISPATCH_LANES + 2': constantIn(DISPATCHER, 'DISPATCH_LANES') + 2,
  };
  let sum = 0;
  const rows = postgresPools().map(({ name, maxConnections, callTimeout }) => {
    const most = sizes[maxConnections] ?? Number(maxConnections);
    if (!Number.isSafeInteger(most)) throw new Error(`the size of ${name} cannot be read: ${maxConnections}`);
    sum += most;
    return [
      `\`${name}\``,
      String(most),
      `${number(constantIn(POSTGRES, callTimeout))} ms`,
      POOLS[name] ?? '',
    ];
  });
  return table(
    ['`application_name`', 'Connections at most', 'Longest call', 'For'],
    [...rows, ['all of a pod', String(sum), '', '']],
  );
}

function boundTable(): string {
  const { intake, http, shutdown } = bounds;
  const ms = (value: number) => `${number(value)} ms`;
  const kib = (value: number) => `${number(value / 1024)} KiB`;
  const ring = (name: string) => constantIn(REALTIME, name);
  return table(
    ['What', 'Bound', 'Where'],
    [
      ['Messages accepted and not yet answered', number(intake.queueRowsMax), '`bounds.ts`'],
      ['Rows of one group commit', `${intake.groupRowsMax}, or ${kib(intake.groupBytesMax)}`, '`bounds.ts`'],
      [
        'Groups in flight, and locked conversations waited for',
        `${intake.groupsInFlightMax} and ${intake.sideLanesMax}`,
        '`bounds.ts`',
      ],
      ['A `POST` is answered within', ms(intake.answerMaxMs), '`bounds.ts`'],
      ['Reads and membership changes under way over HTTP', number(http.callsInFlightMax), '`bounds.ts`'],
      ['Of them those of one user', number(http.userCallsInFlightMax), '`bounds.ts`'],
      ['Users whose HTTP rates are remembered', number(http.userRatesMax), '`bounds.ts`'],
      [
        'Rounds that one dispatcher has under way, and buckets of one',
        `${constantIn(DISPATCHER, 'DISPATCH_LANES')} and ${constantIn(DISPATCHER, 'BUCKETS_PER_ROUND')}`,
        '`dispatcher/dispatcher.ts`',
      ],
      [
        'Payload of one claimed batch',
        kib(constantIn(POSTGRES, 'CLAIM_MAX_BYTES')),
        '`adapters/postgres/dispatch-log.ts`',
      ],
      [
        'A Redis command without a reply',
        ms(constantIn(REDIS, 'REDIS_COMMAND_TIMEOUT_MS')),
        '`adapters/redis/connections.ts`',
      ],
      [
        'Broadcasts that a consumer remembers',
        number(constantIn(`${REALTIME}/consumer-recent.ts`, 'RECENT_MAX')),
        '`realtime/consumer-recent.ts`',
      ],
      [
        "A feed's ring of recent messages",
        `${ring('RING_ITEMS_MAX')}, or ${kib(ring('RING_BYTES_MAX'))}`,
        '`realtime/feed.ts`',
      ],
      ['All rings of a pod', kib(constantIn(REALTIME, 'RINGS_BYTES_MAX')), '`realtime/feeds.ts`'],
      [
        'A page of the log',
        `${constantIn(REALTIME, 'PAGE_ROWS')} rows, or ${kib(constantIn(REALTIME, 'PAGE_BYTES_MAX'))}`,
        '`realtime/reads.ts`',
      ],
      [
        'Conversations whose heads are checked within 2 s',
        number(constantIn(`${REALTIME}/feeds.ts`, 'RECENT_MAX')),
        '`realtime/feeds.ts`',
      ],
      [
        'Channels of one `SUBSCRIBE`',
        number(constantIn(REALTIME, 'PIECE_CHANNELS')),
        '`realtime/subscriptions.ts`',
      ],
      [
        'Shares of `SHUTDOWN_GRACE_MS`: sockets, then requests',
        `${shutdown.socketsShare}, ${shutdown.intakeShare}`,
        '`bounds.ts`',
      ],
    ],
  );
}
