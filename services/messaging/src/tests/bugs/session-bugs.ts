import type { Session } from '../../realtime/session.ts';
import type { Stages } from '../simulation/sim-stages.ts';
import type { SimWorld } from '../simulation/sim-world.ts';
import type { SimulatedBug } from './bug.ts';
import { only } from './circumstances.ts';

const DEAD_LETTERS = only({ faults: ['poison', 'breaker'], acts: ['mark_dead', 'insert'] });

/** Of what a connection is sent. */
export const SESSION_BUGS: readonly SimulatedBug[] = [
  {
    name: 'resume-one-too-far',
    what: 'a client that comes back with cursor c goes on at c + 2',
    where: 'simulation',
    caughtBy: 'silent_gap',
    consequences: ['loss', 'unsettled', 'client_fault'],
    circumstances: { adapt: only({ faults: ['client_cut', 'client_half_open', 'drain'] }) },
    apply: resumeTooFar,
  },
  {
    name: 'dead-without-gap',
    what: 'a dead row is passed over in silence',
    where: 'simulation',
    caughtBy: 'silent_gap',
    consequences: ['loss', 'unsettled', 'client_fault'],
    circumstances: { adapt: DEAD_LETTERS },
    apply: (world) =>
      bendSessions(world, (session) => {
        const { sendGap } = bound(session);
        session.sendGap = (position, to, reason) => {
          if (reason !== 'dead_letter') return sendGap(position, to, reason);
          const credited = session.out.credited.bind(session.out);
          session.out.credited = () => {};
          sendGap(position, to, reason);
          session.out.credited = credited;
        };
      }),
  },
  {
    name: 'wrong-reason',
    what: 'a dead letter is announced as expired',
    where: 'simulation',
    caughtBy: 'gap_cause',
    circumstances: { adapt: DEAD_LETTERS },
    apply: (world) =>
      bendSessions(world, (session) => {
        const { sendGap } = bound(session);
        session.sendGap = (position, to, reason) =>
          sendGap(position, to, reason === 'dead_letter' ? 'retention' : reason);
      }),
  },
  {
    name: 'credit-ignored',
    what: 'a connection is sent more than its credit',
    where: 'simulation',
    caughtBy: 'credit',
    apply: (world) => bendSessions(world, (session) => (session.maySend = () => session.state === 'live')),
  },
];

function bendStages(world: SimWorld, bend: (stages: Stages) => void): void {
  world.bends.push({
    stages: (stages) => {
      bend(stages);
      return stages;
    },
  });
}

function bendSessions(world: SimWorld, bend: (session: Session) => void): void {
  bendStages(world, ({ hub }) => bendSessionsOf(hub, bend));
}

function bendSessionsOf(hub: Stages['hub'], bend: (session: Session) => void): void {
  const connect = hub.connect.bind(hub);
  hub.connect = (...given) => {
    const session = connect(...given);
    bend(session);
    return session;
  };
}

function bound(session: Session): Pick<Session, 'sendGap'> {
  return { sendGap: session.sendGap.bind(session) };
}

function resumeTooFar(world: SimWorld): void {
  bendStages(world, ({ hub }) => {
    const resumed = new WeakMap<Session, Set<string>>();
    bendSessionsOf(hub, (session) => {
      const given = new Set<string>();
      resumed.set(session, given);
      const set = session.cursors.set.bind(session.cursors);
      session.cursors.set = (id, seq) => {
        given.add(id);
        return set(id, seq);
      };
    });
    const attach = hub.feeds.attach.bind(hub.feeds);
    hub.feeds.attach = (position, head) => {
      const isResumed = resumed.get(position.session)?.has(position.feed.conversationId) === true;
      if (isResumed && position.catchUpTo !== undefined && position.cursor < head) position.cursor += 1;
      attach(position, head);
    };
  });
}
