import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tooLargeAbove } from '@sanctum/protocol';
import { createHttpServer, type HttpServerDeps } from '../../adapters/http/http-server.ts';
import { createTokenVerifier } from '../../adapters/http/token-verifier.ts';
import { MemoryLog } from '../../adapters/memory/memory-log.ts';
import { systemClock } from '../../clock.ts';
import { Intake } from '../../intake/intake.ts';
import { silentLog } from '../../log.ts';
import { createMetrics, type Metrics } from '../../metrics.ts';
import type { Readiness } from '../../operations/readiness.ts';
import type { ReaderLog } from '../../ports.ts';
import { HttpClient } from './http-client.ts';
import { mintToken, type TestClaims, TEST_JWT } from './tokens.ts';

/** The public HTTP server on a port of its own, with the real intake, before a log in memory. */
export interface HttpFixture {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  readonly log: MemoryLog;
  /** Thrown by every call of the log, once set. */
  fault: Error | undefined;
  /** Called around the reading of a page of history. */
  beforePageRead: (() => Promise<unknown>) | undefined;
  afterPageRead: (() => Promise<unknown>) | undefined;
  readonly metrics: Metrics;
  /** Every `onMembershipChanged`, in order. */
  readonly membershipChanges: { conversationId: string; userIds: readonly string[] }[];
  readonly revoked: Set<string>;
  readiness: Readiness;
  /** A client that speaks as this user. */
  as(user: string, claims?: Partial<TestClaims>): Promise<HttpClient>;
  close(): Promise<void>;
}

const PAYLOAD_MAX_BYTES = 1024;

export async function startHttpFixture(options: Partial<HttpServerDeps> = {}): Promise<HttpFixture> {
  const log = new MemoryLog({
    clock: systemClock,
    payloadLimitBytes: tooLargeAbove(PAYLOAD_MAX_BYTES),
    network: async (transaction) => {
      if (fixture.fault !== undefined) throw fixture.fault;
      return transaction();
    },
  });
  const reader: Pick<ReaderLog, 'readPages' | 'readMembers' | 'readReplays'> = {
    readMembers: (requests) => log.reader.readMembers(requests),
    readReplays: (requests) => log.reader.readReplays(requests),
    readPages: async (requests) => {
      await fixture.beforePageRead?.();
      const pages = await log.reader.readPages(requests);
      await fixture.afterPageRead?.();
      return pages;
    },
  };
  const metrics = createMetrics({ dispatcher: true, consumer: true });
  const membershipChanges: HttpFixture['membershipChanges'] = [];
  const revoked = new Set<string>();
  const key = { kind: 'secret', secret: TEST_JWT.secret } as const;
  const server = createHttpServer({
    clock: systemClock,
    log: silentLog,
    metrics,
    allowedOrigins: undefined,
    maxClients: 100,
    payloadMaxBytes: PAYLOAD_MAX_BYTES,
    verifier: createTokenVerifier(
      { ...TEST_JWT, key },
      { clock: systemClock, log: silentLog, isRevoked: ({ userId }) => revoked.has(userId) },
    ),
    intake: new Intake({
      intakeLog: log.intake,
      clock: systemClock,
      log: silentLog,
      onCommitted: () => undefined,
    }),
    conversations: log.conversations,
    reader,
    readiness: () => fixture.readiness,
    demo: { folder: new URL('no-such-folder/', import.meta.url), signing: undefined },
    onMembershipChanged: (change) => void membershipChanges.push(change),
    ...options,
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const anyone = new HttpClient(url);
  const fixture: HttpFixture = {
    url,
    port,
    server: server.server,
    log,
    metrics,
    membershipChanges,
    revoked,
    fault: undefined,
    beforePageRead: undefined,
    afterPageRead: undefined,
    readiness: { ready: true, degraded: [], reasons: [] },
    as: async (user, claims = {}) => anyone.as(await mintToken({ sub: user, ...claims })),
    async close() {
      anyone.close();
      await server.close();
    },
  };
  return fixture;
}
