import { readFile, stat } from 'node:fs/promises';
import { machineClock } from '../../history/history-writer.ts';
import type { ChaosWorld } from '../chaos-world.ts';
import { HEALTHY_P95_MS } from '../latency-watch.ts';
import { processesIn, untilGone } from '../processes-in.ts';
import { lasting, promised, proven, RECOVER_WITHIN_POSTGRES_MS, type Scenario } from '../scenario.ts';

/** Longer than calls of the log (5 s) and open transactions (10 s) may take. */
const FROZEN_MS = 12_000;
const CUTTING_MS = 5000;
const CUTTING_EVERY_MS = 250;
/** Longer than a locked conversation's `POST` waits (2 s), and a call of the log (5 s). */
const LOCKED_MS = 8000;

async function startedAt({ sql }: ChaosWorld): Promise<string> {
  const [row] = await sql<{ at: string }>('SELECT pg_postmaster_start_time()::text AS at');
  return row!.at;
}

async function restartedProof(world: ChaosWorld, before: string): Promise<string> {
  const after = await startedAt(world);
  return proven(`started at ${before}, then at ${after}`, before !== after);
}

/** What the server has written to its log since `from`. */
async function logSince({ folder }: ChaosWorld, from: number): Promise<string> {
  return (await readFile(`${folder}/postgres.log`)).subarray(from).toString();
}

async function logSize({ folder }: ChaosWorld): Promise<number> {
  return (await stat(`${folder}/postgres.log`)).size;
}

/** Ends it by a signal, and starts it on what it left. */
async function crash(world: ChaosWorld, signal: 'SIGQUIT' | 'SIGKILL') {
  const before = await startedAt(world);
  const logged = await logSize(world);
  const { ended } = world.postgres;
  const folder = `${world.folder}/postgres`;
  const pids = processesIn(folder);
  await world.postgres.kill(signal);
  const how = await ended;
  // Whoever is left of a server that was killed holds its shared memory, and a new one refuses to start beside it.
  await untilGone({ folder, pids }, signal);
  await world.postgres.restart();
  const recovered = (await logSince(world, logged)).includes('was not properly shut down');
  return {
    proof: [
      proven(`ended by ${how}, with ${pids.length} processes`, pids.length > 1),
      proven('it recovered from its write-ahead log', recovered),
      await restartedProof(world, before),
    ],
  };
}

/** Somebody's open transaction; whoever waits for its lock is counted before it ends. */
function locked(statement: string, values: (world: ChaosWorld) => unknown[]) {
  return (world: ChaosWorld) =>
    world.withPostgres(async (operator) => {
      await operator.query('BEGIN');
      await operator.query(statement, values(world));
      let waited = 0;
      const until = performance.now() + LOCKED_MS;
      while (performance.now() < until) {
        await lasting(CUTTING_EVERY_MS);
        const { rows } = await operator.query<{ waiting: number }>(
          `SELECT count(*)::int AS waiting FROM pg_locks WHERE NOT granted`,
        );
        waited = Math.max(waited, rows[0]!.waiting);
      }
      await operator.query('ROLLBACK');
      return proven(`up to ${waited} waited for a lock`, waited > 0);
    });
}

export const POSTGRES_SCENARIOS: readonly Scenario[] = [
  {
    name: 'postgres-restart',
    about: 'Postgres is restarted in good order',
    recoverWithinMs: RECOVER_WITHIN_POSTGRES_MS,
    fault: async (world) => {
      const before = await startedAt(world);
      await world.postgres.restart();
      return { proof: [await restartedProof(world, before)] };
    },
  },
  {
    name: 'postgres-immediate',
    about: 'immediate shutdown of Postgres, which recovers from its log',
    recoverWithinMs: RECOVER_WITHIN_POSTGRES_MS,
    fault: (world) => crash(world, 'SIGQUIT'),
  },
  {
    name: 'postgres-kill',
    about: 'kill -9 of Postgres and all its backends',
    recoverWithinMs: RECOVER_WITHIN_POSTGRES_MS,
    fault: (world) => crash(world, 'SIGKILL'),
  },
  {
    name: 'postgres-freeze',
    about: `SIGSTOP of Postgres and all its backends for ${FROZEN_MS / 1000} s`,
    fault: async (world) => {
      await world.postgres.kill('SIGSTOP');
      await lasting(FROZEN_MS);
      const answer = await Promise.race([
        world.sql('SELECT 1').catch(() => 'refused'),
        lasting(1000).then(() => undefined),
      ]);
      const proof = [proven('a query was not answered', answer === undefined)];
      await world.postgres.kill('SIGCONT');
      return { proof };
    },
  },
  {
    name: 'postgres-terminate',
    about: `pg_terminate_backend of every connection, every ${CUTTING_EVERY_MS} ms for ${CUTTING_MS / 1000} s`,
    fault: (world) =>
      world.withPostgres(async (operator) => {
        let ended = 0;
        const until = performance.now() + CUTTING_MS;
        while (performance.now() < until) {
          const { rows } = await operator.query<{ ended: number }>(
            `SELECT count(pg_terminate_backend(pid))::int AS ended FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()`,
          );
          ended += rows[0]!.ended;
          await lasting(CUTTING_EVERY_MS);
        }
        return { proof: [proven(`${ended} connections were ended`, ended >= 4 * world.pods.length)] };
      }),
  },
  {
    name: 'postgres-lock-conversation',
    about: `an operator's transaction holds one conversation for ${LOCKED_MS / 1000} s; the others flow`,
    fault: async (world) => {
      const { load } = world;
      const from = machineClock.monotonic();
      const { id } = load.conversations[0]!;
      const waited = await locked(
        'SELECT FROM messaging.conversation WHERE conversation_id = $1 FOR UPDATE',
        () => [id],
      )(world);
      const span = { from, to: machineClock.monotonic() - HEALTHY_P95_MS };
      const there = load.watch.p95Of({ ...span, only: id });
      const elsewhere = load.watch.p95Of({ ...span, without: id });
      return {
        proof: [waited, proven('nothing came of the locked conversation', there === Infinity)],
        promises: [promised(`p95 of the others ${Math.round(elsewhere)} ms`, elsewhere < HEALTHY_P95_MS)],
      };
    },
  },
  {
    name: 'postgres-lock-writers',
    about: `an operator's transaction keeps every writer out of the outbox for ${LOCKED_MS / 1000} s`,
    fault: async (world) => ({
      proof: [
        await locked('LOCK TABLE messaging.message_outbox IN SHARE ROW EXCLUSIVE MODE', () => [])(world),
      ],
    }),
  },
  {
    name: 'postgres-lock-table',
    about: `an operator's transaction keeps everybody out of the outbox for ${LOCKED_MS / 1000} s`,
    fault: async (world) => ({
      proof: [await locked('LOCK TABLE messaging.message_outbox IN ACCESS EXCLUSIVE MODE', () => [])(world)],
    }),
  },
];
