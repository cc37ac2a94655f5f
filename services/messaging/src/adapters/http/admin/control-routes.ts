import { type Controls, type Revocations, type Revoked, type Audit } from '@sanctum/protocol/admin';
import type { ControlWatch } from '../../../operations/control-watch.ts';
import type { Fleet } from '../../../operations/fleet.ts';
import type { PodBus } from '../../../operations/pod-bus.ts';
import type { PodQuestions } from '../../../operations/pod-questions.ts';
import type { PostgresOperatorLog } from '../../postgres/operator-log.ts';
import { adminHandlers } from './admin-route.ts';
import { decodePlace, encodePlace } from './places.ts';

/** Pauses, revocations, and the record of everything that operators change. */
export function controlRoutes(deps: {
  readonly operatorLog: PostgresOperatorLog;
  readonly watch: ControlWatch;
  readonly bus: PodBus;
  readonly fleet: Fleet;
  readonly questions: PodQuestions;
}) {
  const { operatorLog, watch, bus, fleet, questions } = deps;

  /** This pod at once, the others by a word on the bus; whoever misses it looks by itself. */
  async function tellPods(): Promise<void> {
    await Promise.all([watch.look(), bus.say({ kind: 'changed' })]);
  }

  async function controls(): Promise<Controls> {
    // With the bus down only their table tells of the other pods.
    const [rows] = await Promise.all([operatorLog.controls(), questions.lookForPods()]);
    const alive = fleet.alive();
    return {
      controls: rows.map((row) => ({
        ...row,
        pods_behind: alive
          .filter(({ paused }) => paused.includes(row.stage) !== row.paused)
          .map(({ name }) => name),
      })),
    };
  }

  return adminHandlers({
    getControls: async () => ({ body: await controls() }),
    async putControl({ body, by }) {
      const { stage, paused, reason, expires_in_seconds: expiresInSeconds } = body;
      await operatorLog.setControl({ stage, paused, reason, by, expiresInSeconds });
      await tellPods();
      return { body: await controls() };
    },
    async revoke({ body, by }) {
      const kind = body.sid === undefined ? 'user' : 'login';
      const subject = (body.sid ?? body.user_id)!;
      const { answers, missing } = await questions.ask({ about: 'logins', kind, subject });
      const revocation = await operatorLog.revoke({ kind, subject, reason: body.reason, by });
      await tellPods();
      const connections = answers.reduce((sum, { count = 0 }) => sum + count, 0);
      const answer: Revoked = { ...revocation, connections, pods_missing: [...missing] };
      return { status: 201, body: answer };
    },
    async listRevocations({ query }) {
      const { limit, cursor } = query;
      const found = await operatorLog.revocations(decodePlace(cursor), limit + 1);
      const page = found.slice(0, limit);
      const body: Revocations = {
        revocations: page.map(({ revocation }) => revocation),
        next_cursor: found.length > limit ? encodePlace(page.at(-1)!.version) : null,
      };
      return { body };
    },
    async listAudit({ query }) {
      const { limit, cursor } = query;
      const found = await operatorLog.audit(decodePlace(cursor), limit + 1);
      const entries = found.slice(0, limit);
      const body: Audit = {
        entries,
        next_cursor: found.length > limit ? encodePlace(entries.at(-1)!.id) : null,
      };
      return { body };
    },
  });
}
