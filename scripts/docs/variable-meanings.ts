import type { VariableName } from '../../services/messaging/src/config-variables.ts';

/** What each variable of the environment decides, for docs/configuration.md. */
export const meanings: Record<VariableName, string> = {
  DISPATCHER_ENABLED: 'Whether this pod moves rows from the outbox to the stream',
  DISPATCH_TICK_MS: 'How often the dispatcher looks for pending rows when nothing wakes it, in milliseconds',
  DISPATCH_BATCH_SIZE: 'Rows claimed in one round, which up to eight buckets share',
  DISPATCH_MAX_ATTEMPTS: 'Failures of a row, for its own sake, after which it is `dead`',
  DISPATCH_STREAM_NAME: 'Name of the Redis Stream',
  DISPATCH_STREAM_PARTITIONS:
    'Streams that the dispatcher deals buckets to: the name itself, `<name>:1`, … A consumer reads at most 16: do not set more',

  CONSUMER_ENABLED: 'Whether this pod reads the stream and broadcasts',
  CONSUMER_GROUP_NAME: 'Name of the consumer group',
  CONSUMER_NAME:
    'Name of this consumer in the group; must be another one on each pod. It also names the pod in logs',
  CONSUMER_BATCH_SIZE: 'Entries of one `XREADGROUP` or `XAUTOCLAIM`',
  CONSUMER_BLOCK_MS: 'How long one `XREADGROUP` waits for entries, in milliseconds',
  CONSUMER_CLAIM_IDLE_MS:
    'After how many milliseconds without `XACK` an entry may be taken over by another consumer: the runbook\'s "ACK timeout"',

  REDIS_STREAM_MAXLEN:
    'Length to which the stream is trimmed, approximately (`MAXLEN ~`), for each partition',
  REDIS_URL: 'Where Redis is. Required',
  REDIS_CLUSTER: 'Reserved for Redis Cluster; `true` is refused in this version',
  POSTGRES_URL: 'Where PostgreSQL is. Required, unless `DATABASE_URL` is set',
  DATABASE_URL:
    'Read where `POSTGRES_URL` is not set; if both are set and differ, `POSTGRES_URL` is used, with a warning',

  HTTP_HOST: 'Address to listen on',
  HTTP_PORT: 'Port of HTTP and WebSocket; 0 takes a free one',
  ADMIN_PORT:
    'Port of the admin API and the console, for operators alone; 0 takes a free one. Must differ from `HTTP_PORT`',

  WEBSOCKET_HEARTBEAT_INTERVAL_MS: 'Interval of `heartbeat` frames and of RFC 6455 pings, in milliseconds',
  WEBSOCKET_MAX_CLIENTS:
    'WebSocket connections of this pod; further ones are closed with 1013. Those that have not said hello are at most half of them: the longest silent one goes first',
  WEBSOCKET_ALLOWED_ORIGINS:
    'Origins of browser pages that may use HTTP and WebSocket; a list replaces the same origin',

  JWT_ISSUER: '`iss` of valid tokens. Required in production, else `sanctum`',
  JWT_AUDIENCE: '`aud` of valid tokens. Required in production, else `sanctum-messaging`',
  JWT_JWKS_URL: 'Where the public keys are that verify tokens',
  JWT_PUBLIC_KEY: 'The public key that verifies tokens; `\\n` stands for a line end',
  JWT_SECRET: 'The secret of HS256 tokens. Outside production one is made and kept in `.sanctum/jwt-secret`',

  DEMO_TOKENS:
    'Whether anybody gets a token of ten minutes for a user id that begins with `demo-`, for the [demo](demo.md). For development: refused in production, and without `JWT_SECRET`',

  PAYLOAD_MAX_BYTES: 'Largest ciphertext, decoded',
  OUTBOX_RETENTION_DAYS:
    'Whole days for which messages are kept, see [operations](operations.md#retention). Below 7, a message that was accepted unheard and is sent again days later, as the client does for six, may be stored a second time',
  DLQ_RETENTION_DAYS: 'The same for dead rows and for stream entries that no consumer could use',
  SHUTDOWN_GRACE_MS: 'Time from `SIGTERM` to the forced end of the process, in milliseconds',
  LOG_LEVEL: 'Least level of the log lines that are written',
};
