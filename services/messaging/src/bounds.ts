import assert from 'node:assert/strict';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const KIB = 1024;
const MIB = 1024 * KIB;

/** Every queue, batch, wait and retry of intake, HTTP and authentication. Durations are milliseconds. */
export const bounds = {
  intake: {
    /** One transaction: where `unnest` stops getting cheaper a row. */
    groupRowsMax: 256,
    /** Ends a group before it passes this, though never before its first row. */
    groupBytesMax: 4 * MIB,
    /** Two connections reached 1.5 times the rows of one; a third added nothing. */
    groupsInFlightMax: 2,
    queueRowsMax: 4096,
    queueBytesMax: 64 * MIB,
    /** A request that has no outcome by then is answered `unavailable`. */
    answerMaxMs: 5 * SECOND,
    /** A request whose conversation stays locked is answered `overloaded`. */
    busyMaxMs: 2 * SECOND,
    /** Locked conversations that are waited for at once; each holds a connection for up to 500 ms. */
    sideLanesMax: 4,
    contentionRetriesMax: 5,
    contentionDelayMs: 20,
    /** One wake for everything committed within this time. */
    wakeDelayMs: 2,
    sweepEveryMs: 100,
    overloadedRetryAfterMs: 1 * SECOND,
    unavailableRetryAfterMs: 2 * SECOND,
  },
  http: {
    /** JSON around a ciphertext: ids, scheme, key id, white space. */
    messageBodyOverheadBytes: 4 * KIB,
    /** Some encoders write each `/` of base64 as `\/`: one character in 64, on average. */
    messageBodyEscapes: 1 / 16,
    /** 256 members of 255 bytes, each written as `\u00XX` at the worst. */
    createBodyMaxBytes: 448 * KIB,
    headersMaxBytes: 16 * KIB,
    headersTimeoutMs: 10 * SECOND,
    requestTimeoutMs: 30 * SECOND,
    /** A connection with a request under way, on which no byte has moved for so long, is cut: who reads nothing. */
    writeStallMs: 20 * SECOND,
    /** Above the idle timeout of load balancers (60 s), so that they close first. */
    keepAliveTimeoutMs: 75 * SECOND,
    /** Connections beside those of WebSocket clients. */
    plainConnectionsMax: 2048,
    /** A user id of 255 bytes, percent-encoded. */
    parameterMaxChars: 3 * 255,
    /** Reads and membership changes under way at once; more are answered `overloaded`. */
    callsInFlightMax: 128,
    /** Of them those of one user: a quarter, so that nobody takes the place of all others. */
    userCallsInFlightMax: 32,
    /** A call of the log that has not settled by then is answered `unavailable`. */
    callMaxMs: 5 * SECOND,
    /**
     * Messages that one user may post on one pod. Far above what people and their devices' queues come to, and room
     * for a program that posts for many; below what a pod takes, so that a flood leaves room for everybody else.
     */
    userPosts: { burst: 4000, perSecond: 1000 },
    /** Reads and changes of conversations and members: each holds a connection to Postgres for a millisecond or more. */
    userCalls: { burst: 2000, perSecond: 400 },
    /** Users whose rates are remembered, of each kind: some 10 MB. Beyond them the longest idle starts anew. */
    userRatesMax: 50_000,
    preflightMaxAgeSeconds: 600,
    retryAfterMs: 1 * SECOND,
  },
  admin: {
    /** 500 ids in a requeue. */
    bodyMaxBytes: 64 * KIB,
    /** Browsers open six each. */
    connectionsMax: 256,
    eventStreamsMax: 64,
    eventEveryMs: 1 * SECOND,
    /** Some seconds of a large fleet's figures. */
    eventStreamUnsentBytesMax: 1 * MIB,
  },
  auth: {
    tokenMaxChars: 8 * KIB,
    verifiedTokensMax: 20_000,
    clockToleranceMs: 5 * SECOND,
    keysTimeoutMs: 5 * SECOND,
    keysMaxBytes: 1 * MIB,
    /** Keys are asked for again after this, so that a withdrawn one goes. */
    keysMaxAgeMs: 10 * MINUTE,
    /** An unknown `kid` asks again, though not more often than this. */
    keysCooldownMs: 10 * SECOND,
    /** The same while there are no keys at all, and nobody can log in. */
    keysFirstCooldownMs: 1 * SECOND,
    retryAfterMs: 2 * SECOND,
  },
  demo: {
    /** Of a token that anybody gets: long enough to look around between renewals. */
    tokenLifetimeMs: 10 * MINUTE,
  },
  log: {
    valueMaxChars: 200,
    listMax: 64,
  },
  shutdown: {
    /** Shares of SHUTDOWN_GRACE_MS: sockets move first, then intake finishes, then dispatcher and consumer. */
    socketsShare: 0.6,
    intakeShare: 0.2,
    stagesShare: 0.15,
    /** Below this intake could not finish what it has accepted. */
    graceMinMs: 1 * SECOND,
  },
} as const;

/** The relations between the bounds. A wrong one is a mistake in this file. */
export function assertBounds({ intake, http, admin, auth, shutdown }: typeof bounds = bounds): void {
  assert(
    intake.groupRowsMax * intake.groupsInFlightMax <= intake.queueRowsMax,
    'a full queue feeds every group',
  );
  assert(
    intake.groupBytesMax * intake.groupsInFlightMax <= intake.queueBytesMax,
    'the queue holds full groups',
  );
  assert(intake.sweepEveryMs * 5 <= intake.busyMaxMs, 'late requests are noticed soon');
  assert(intake.busyMaxMs < intake.answerMaxMs, 'a locked conversation is told from an outage');
  assert(
    intake.contentionRetriesMax * intake.contentionDelayMs * 2 ** intake.contentionRetriesMax <
      intake.answerMaxMs,
    'retries end before their requests do',
  );
  assert(intake.answerMaxMs < http.requestTimeoutMs, 'intake answers before the socket closes');
  assert(
    http.userCallsInFlightMax * 4 <= http.callsInFlightMax,
    'it takes several users to fill the room for calls',
  );
  assert(http.callMaxMs < http.requestTimeoutMs, 'reads answer before the socket closes');
  for (const { burst, perSecond } of [http.userPosts, http.userCalls])
    assert(burst >= perSecond, 'who keeps to the rate is never refused for a second that came at once');
  assert(
    auth.keysTimeoutMs + Math.max(intake.answerMaxMs, http.callMaxMs) < http.writeStallMs,
    'who waits for an answer is not taken for one that reads nothing',
  );
  assert(admin.eventEveryMs < http.writeStallMs, 'a stream of events is never still');
  assert(http.headersTimeoutMs <= http.requestTimeoutMs, 'node demands it');
  assert(http.keepAliveTimeoutMs > MINUTE, 'load balancers keep idle connections for a minute');
  assert(auth.tokenMaxChars < http.headersMaxBytes, 'a longest token fits the headers');
  assert(auth.keysCooldownMs < auth.keysMaxAgeMs, 'an unknown key is looked for sooner than a known one');
  assert(auth.keysTimeoutMs < http.requestTimeoutMs, 'keys are had or given up before the socket closes');
  assert(shutdown.socketsShare + shutdown.intakeShare + shutdown.stagesShare < 1, 'the drain fits the grace');
}
