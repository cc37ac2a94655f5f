import type { AppendOutcome, AppendRequest, IntakeLog } from '../../ports.ts';
import type { SimWorld } from '../simulation/sim-world.ts';
import type { SimulatedBug } from './bug.ts';
import { only } from './circumstances.ts';

export const INTAKE_BUGS: readonly SimulatedBug[] = [
  {
    name: 'stale-sender',
    what: 'intake checks the membership of a sender against a snapshot from before the removal',
    where: 'simulation',
    caughtBy: 'outsider_post',
    apply: (world) =>
      bendIntake(world, async (log, requests, options) => {
        const outcomes = await log.append(requests, options);
        const epoch = await world.log.reader.readEpoch();
        return outcomes.map((outcome, n) =>
          outcome.kind === 'not_member' ? takeFormerMember(world, requests[n]!, epoch) : outcome,
        );
      }),
  },
  {
    name: 'stored-twice',
    what: 'a POST that timed out is stored once more when it is sent again',
    where: 'simulation',
    caughtBy: 'one_at_two_places',
    apply: (world) =>
      bendIntake(world, (log, requests, options) => {
        for (const { conversationId, messageId } of requests)
          world.log.conversation(conversationId)?.seqByMessageId.delete(messageId);
        return log.append(requests, options);
      }),
  },
  {
    name: 'answered-before-commit',
    what: 'a POST is answered 201 although its commit failed',
    where: 'simulation',
    caughtBy: 'accepted_lost',
    consequences: ['accepted_seq', 'idempotency', 'post_order'],
    circumstances: { adapt: only({ faults: ['postgres_down', 'postgres_cut', 'replies_lost'] }) },
    apply: (world) =>
      bendIntake(world, (log, requests, options) =>
        log.append(requests, options).catch(async () => {
          const epoch = await world.log.reader.readEpoch();
          return requests.map(({ conversationId }) => claimed(world, conversationId, epoch));
        }),
      ),
  },
];

type Append = (log: IntakeLog, ...call: Parameters<IntakeLog['append']>) => Promise<AppendOutcome[]>;

function bendIntake(world: SimWorld, append: Append): void {
  world.bends.push({
    intakeLog: (log) => ({ append: (requests, options) => append(log, requests, options) }),
  });
}

function takeFormerMember(world: SimWorld, request: AppendRequest, epoch: number): AppendOutcome {
  const { conversationId, messageId, eventId, sender, payload } = request;
  const conversation = world.log.conversation(conversationId);
  const wasMember = conversation?.members.get(sender)?.leftSeq !== undefined;
  const isKnown = conversation?.seqByMessageId.has(messageId) === true;
  if (!wasMember || isKnown) return { kind: 'not_member' };
  const { seq, occurredAt } = world.log.insertRow({
    conversationId,
    messageId,
    eventId,
    eventType: 'MessageCreated',
    payload: payload.reveal(),
  });
  world.noteCommit(conversationId, seq, messageId, epoch);
  return { kind: 'accepted', seq, occurredAt, epoch };
}

function claimed(world: SimWorld, conversationId: string, epoch: number): AppendOutcome {
  const seq = (world.log.conversation(conversationId)?.lastSeq ?? 0) + 1;
  return { kind: 'accepted', seq, occurredAt: world.clock.now(), epoch };
}
